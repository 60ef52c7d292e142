"""A Python language host for engines that come without one: the `LanguageRuntime` service of the engine's plugin
protocol.

The official host is written in Go and is part of no module that can be fetched from a registry. This one answers the
calls the engine makes for programs, policy packs and plugins written in Python, and leaves code generation
(`Generate*`, `Pack`, `Link`) unimplemented: nothing here publishes an SDK.
"""
