// The cluster map: colour by another fact, single out one, say what is under the pointer, open what is clicked.
"use strict";
(() => {
  const data = document.getElementById("map-data"), map = document.getElementById("map");
  if (!data || !map) return;
  const told = JSON.parse(data.textContent), dots = [...map.querySelectorAll("circle")];
  const key = document.getElementById("map-key"), tip = document.getElementById("map-tip");
  let by = "source", only = -1;

  const paint = () => {
    dots.forEach((dot, i) => {
      const colour = told.colours[by][i];
      dot.setAttribute("class", `k${colour}${only >= 0 && only !== colour ? " off" : ""}`);
    });
    const items = told.names[by].map((name, i) => {
      const button = document.createElement("button"), swatch = document.createElement("i");
      swatch.className = `swatch k${i}`;
      button.type = "button";
      button.setAttribute("aria-pressed", String(only === i));
      button.append(swatch, name);
      button.onclick = () => { only = only === i ? -1 : i; paint(); };
      return button;
    });
    const list = document.createElement("p");
    list.className = "legend";
    list.append(...items);
    key.replaceChildren(list);
  };

  for (const button of document.querySelectorAll("#map-by button"))
    button.onclick = () => {
      by = button.dataset.by;
      only = -1;
      for (const other of document.querySelectorAll("#map-by button"))
        other.setAttribute("aria-pressed", String(other === button));
      paint();
    };

  const under = (event) => dots.indexOf(event.target);
  map.addEventListener("click", (event) => {
    const i = under(event);
    if (i < 0) return;
    const [id, episode, frame] = told.points[i];
    window.open(`${told.base}${told.episodes[episode]}?event=${id}&frame=${frame}`, "_blank", "noopener");
  });
  map.addEventListener("pointermove", (event) => {
    const i = under(event);
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.textContent = told.points[i][3];
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 12)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 12)}px`;
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  paint();
})();
