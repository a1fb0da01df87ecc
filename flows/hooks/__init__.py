"""The functions that the flows of this folder run. Tables in here are stand-ins: put your own systems in their place."""
