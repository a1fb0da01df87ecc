"""The functions that the flows of this folder run. Tables in here are stand-ins: your own systems take their place."""
