"""Every sentence of the language reference, tried on the compiler and the runtime together."""
