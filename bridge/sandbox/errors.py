"""The one error of the sandbox: something could not be started, and the text says what to do about it."""


class SandboxError(Exception):
    """A program, a download or a port of the sandbox failed; the message names it and the remedy."""
