# make run     start Switchyard on this machine
# make test    set up and pass everything: static checks, unit, worker and browser suites
# make test-rabbitmq   the tests with RabbitMQ as the broker; needs the distribution's rabbitmq-server
# make check   the static checks alone
# make faults  break everything on purpose, for hours: docs/faults.md
# make fmt     let ruff put the code in order
# make messages   collect the words of the interface for translators, and compile what they have translated

.POSIX:
.PHONY: run test test-rabbitmq check faults fmt messages constraints
python = .venv/bin/python

# Not `-m chatsite.launch`: Ctrl-C while Python is still loading modules is to end it without a traceback.
run:
	@scripts/install.sh local
	@exec $(python) -c 'import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); \
	    from chatsite.launch.__main__ import main; main()'

test:
	@scripts/install.sh dev
	@scripts/chromium.sh
	@$(MAKE) check
	$(python) -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

test-rabbitmq:
	@scripts/install.sh dev
	scripts/with-rabbitmq.sh $(python) -m pytest tests/rabbitmq tests/chat/test_answers.py tests/chat/test_draining.py \
	    tests/documents/test_answers.py tests/transfer/test_transfer.py::test_a_worker_imports tests/faults

check:
	@scripts/install.sh dev
	$(python) -m ruff check
	$(python) -m mypy .
	.venv/bin/lint-imports
	$(python) manage.py makemigrations --check --dry-run

# SCALE is the share of the streams and faults that a row names, SEEDS how often it runs, ROWS an expression of `pytest -k`.
SCALE = 1
SEEDS = 3
ROWS = row or fence
DATABASES = sqlite postgresql
faults:
	@scripts/install.sh dev
	@for database in $(DATABASES); do FAULTS_DATABASE=$$database $(python) -m pytest faults --ds faults.settings \
	    --scale $(SCALE) --seeds $(SEEDS) -k "$(ROWS)" || failed=1; done; [ -z "$$failed" ]

fmt:
	@scripts/install.sh dev
	$(python) -m ruff check --fix
	$(python) -m ruff format

messages:
	@scripts/install.sh dev
	$(python) -m scripts.messages

# After a change of a version in pyproject.toml: pins everything again, indirect dependencies included.
constraints:
	$(python) -m venv --clear var/constraints
	var/constraints/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	var/constraints/bin/python -m pip install --quiet --group dev
	echo '# Every package of the group dev, indirect ones included. Made by `make constraints` with Python 3.11.' > $@.txt
	var/constraints/bin/python -m pip freeze --all --exclude pip | \
	    sed -e 's/+cpu$$//' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton=/d' >> $@.txt
	rm -rf var/constraints
