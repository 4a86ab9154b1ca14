# What anyone can run by name. CI runs check and test, nothing else.

CARGO ?= cargo
FUZZ = $(CARGO) test --workspace --locked --test fuzz -- --ignored --nocapture
TARGET = $(or $(CARGO_TARGET_DIR),target)

.PHONY: help check test soak simulation kill-test kill-test-mounts fuzz bench bench-gateway bench-lang bench-apply bench-mounts bench-plan bench-docker demo demo-clean \
    needs needs-bench needs-bench-docker needs-bench-mounts needs-demo needs-moto

help:
	@echo 'make demo        builds wharf, runs examples/quickstart, and sends it a request'
	@echo 'make demo-clean  takes away everything that the demo made'
	@echo 'make check       formatting, lints and docs, warnings denied'
	@echo 'make test        every test; installs what they need'
	@echo 'make simulation  10,000 applies on a simulated platform where anything goes wrong; SEED=n plays one again'
	@echo 'make kill-test   kills wharf at every boundary of a life of a service; prints the share that went on well'
	@echo 'make soak        ten minutes of load on a gateway that is reconfigured every second; SOAK_SECONDS changes that'
	@echo 'make kill-test-mounts  kills a download of 2 GiB ten times; prints what was fetched twice'
	@echo 'make fuzz        a minute of broken files; FUZZ_SECONDS and FUZZ_SEED change that'
	@echo 'make bench       the budgets, as ratios'
	@echo 'make bench-gateway  the gateway against nginx and haproxy; installs them'
	@echo 'make bench-mounts  folders of buckets against rclone and the AWS CLI; installs them'
	@echo 'make bench-lang  of these, how fast a large project is read'
	@echo 'make bench-apply of these, what an apply costs beside its calls'
	@echo 'make bench-plan  of these, how fast it is planned, and each view of the plan made'
	@echo 'make bench-docker  of these, containers against the bare API, docker-compose and Swarm; installs them'

check: needs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked --quiet

# A minute of broken files goes on beside the tests, and stands back for them.
test: needs needs-moto
	$(CARGO) test --workspace --locked --no-run
	@nice -n 19 $(FUZZ) >'$(TARGET)/fuzz.txt' 2>&1 & fuzz=$$!; \
	CARGO='$(CARGO)' .ci/test; tests=$$?; \
	wait $$fuzz; found=$$?; \
	if [ $$found = 0 ]; then grep '^fuzz:' '$(TARGET)/fuzz.txt'; else cat '$(TARGET)/fuzz.txt'; fi; \
	test $$((tests | found)) = 0
	@$(MAKE) --no-print-directory simulation

# SEED=n plays one history and tells it, SEEDS=n sets how many are played.
simulation:
	$(CARGO) test --release --locked -p wharf-apply --test apply simulation -- --nocapture

# The score of each stage is a line. On an engine it goes on for so many MINUTES at most, and says how far it came.
kill-test: needs
	@score=0; for suite in end_to_end docker; do \
	    WHARF_KILL_MINUTES='$(or $(MINUTES),25)' WHARF_ENGINE_SECONDS=3600 \
	        $(CARGO) test --locked -p wharf --test $$suite cut_off_anywhere -- --ignored --nocapture >'$(TARGET)/kill-test.log' 2>&1; \
	    ended=$$?; test $$ended = 0 || cat '$(TARGET)/kill-test.log'; grep '^convergence' '$(TARGET)/kill-test.log'; \
	    score=$$((score | ended)); done; exit $$score

soak:
	WHARF_SOAK_SECONDS=$(or $(SOAK_SECONDS),600) $(CARGO) test --release --locked -p wharf-gateway --test gateway soak -- --nocapture
# A download of 2 GiB that is killed at ten random points. The last line tells how much was fetched twice.
kill-test-mounts:
	@WHARF_KILL_MIB=2048 $(CARGO) test --release --locked -p wharf-bucket --test bucket killed -- --nocapture | grep -E '^(refetched|test )'

fuzz:
	$(FUZZ)

bench: bench-lang bench-plan bench-apply
	$(CARGO) bench --locked -p wharf-gateway --bench gateway

# As it is shipped, against other proxies from Debian's packages. Cases are chosen with CASES="http1 64c", say.
bench-gateway: needs-bench
	$(CARGO) bench --locked --profile dist -p wharf-gateway --bench versus -- $(CASES)

bench-apply:
	$(CARGO) bench --locked -p wharf-apply --bench apply

# Folders of buckets, against others who copy. Cases are chosen with CASES=64x32MiB, say, and rounds with ROUNDS=1.
bench-mounts: needs-bench-mounts
	$(CARGO) bench --locked -p wharf-bucket --bench mounts -- $(CASES)

bench-lang:
	$(CARGO) bench --locked -p wharf-lang --bench lang

bench-docker: needs needs-bench-docker
	$(CARGO) bench --locked -p wharf --bench docker

bench-plan:
	$(CARGO) bench --locked -p wharf-report --bench plan

demo: needs-demo
	$(CARGO) build --release --locked -p wharf
	@WHARF='$(abspath $(TARGET)/release/wharf)' examples/demo.sh

demo-clean: needs-demo
	@test -x '$(TARGET)/release/wharf' || $(CARGO) build --release --locked -p wharf
	@WHARF='$(abspath $(TARGET)/release/wharf)' examples/demo.sh clean

# The demo names what is missing; it installs nothing.
needs-demo:
	@command -v $(CARGO) >/dev/null || { echo 'wharf is built with Rust. Install it with:'; \
	    echo '    sudo apt-get install -y rustup && rustup default stable'; exit 1; }
	@command -v cc >/dev/null || { echo 'Rust links with a C compiler. Install one with:'; \
	    echo '    sudo apt-get install -y gcc libc6-dev'; exit 1; }

# A second server of object storage, in Python, beside what is built.
needs-moto:
	@test -f '$(TARGET)/moto/moto/server.py' || python3 -m pip install -q --target '$(TARGET)/moto' 'moto[server,s3]==5.2.*'

needs-bench-mounts: needs
	@test -d '$(TARGET)/awscli/awscli' || python3 -m pip install -q --target '$(TARGET)/awscli' awscli

needs-bench:
	@set -e; missing=; \
	for program in nginx haproxy wrk; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	command -v h2load >/dev/null || missing="$$missing nghttp2-client"; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	    $$as apt-get update -q && $$as apt-get install -y -q --no-install-recommends $$missing; \
	fi

needs-bench-docker:
	@set -e; missing=; \
	command -v docker-compose >/dev/null || missing="docker-compose"; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	    $$as apt-get update -q && $$as apt-get install -y -q --no-install-recommends $$missing; \
	fi

# The tests run real programs: Python with pip, setpriv to become an ordinary user, and a Docker Engine of their own with
# images from busybox and from the system's Python, a registry, and ways to that engine over TLS and ssh; a client that mounts
# buckets, and what holds files in memory. The example pipelines need curl and jq. Docker's command line is a package of its own in newer releases.
needs:
	@set -e; missing=; \
	command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v python3 >/dev/null || missing="$$missing python3"; \
	python3 -m pip --version >/dev/null 2>&1 || missing="$$missing python3-pip"; \
	command -v setpriv >/dev/null || missing="$$missing util-linux"; \
	test -x /usr/bin/python3 && /usr/bin/python3 -m pip --version >/dev/null 2>&1 || missing="$$missing python3 python3-pip"; \
	command -v dockerd >/dev/null || missing="$$missing docker.io"; \
	command -v docker-registry >/dev/null || missing="$$missing docker-registry"; \
	cli=; command -v docker >/dev/null || cli=docker-cli; \
	command -v ssh >/dev/null || missing="$$missing openssh-client"; \
	unwanted=; test -x /usr/sbin/sshd || { missing="$$missing openssh-server"; unwanted="ssh.service ssh.socket"; }; \
	file=/bin/busybox; test -x $$file && ! ldd $$file >/dev/null 2>&1 || missing="$$missing busybox-static"; \
	command -v iptables >/dev/null || missing="$$missing iptables"; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	command -v curl >/dev/null || missing="$$missing curl ca-certificates"; \
	command -v jq >/dev/null || missing="$$missing jq"; \
	command -v rclone >/dev/null || missing="$$missing rclone"; \
	command -v fusermount3 >/dev/null || missing="$$missing fuse3"; \
	command -v vmtouch >/dev/null || { missing="$$missing vmtouch"; unwanted="$$unwanted vmtouch.service"; }; \
	if [ -n "$$missing$$cli" ]; then \
	    if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	    $$as apt-get update -q; \
	    apt-cache show $$cli >/dev/null 2>&1 || cli=; \
	    $$as apt-get install -y -q --no-install-recommends $$missing $$cli; \
	    if [ -n "$$unwanted" ] && [ -d /run/systemd/system ]; then $$as systemctl disable -q --now $$unwanted || :; fi; \
	fi
