# Each target is one line: toolchain/bootstrap.py makes the Python environment, then runs `python -m toolchain <target>`.
# PROJECT= taxi (default) or a folder of examples, STACK= (default local), DATA= a folder with real data, PYTHON= 3.11 or 3.12.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(shell command -v $(name) 2>/dev/null)))
ARGUMENTS = $(foreach name,PROJECT STACK DATA EVENTS STOP FORCE,$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) '$($(name))'))

.DEFAULT_GOAL := help
.PHONY: up preview policy verify status doctor report abort down env test lint bench logs clean help

up preview policy verify status doctor report abort down env test lint bench logs clean help:
	@$(if $(PYTHON),,$(error Python 3.11 or 3.12 is needed and no python3 is on PATH))$(PYTHON) toolchain/bootstrap.py $@ $(ARGUMENTS)
