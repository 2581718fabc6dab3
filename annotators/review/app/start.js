const queue = await (await fetch("/api/queue")).json();
document.querySelector("#page").textContent = JSON.stringify(queue, null, 1);
