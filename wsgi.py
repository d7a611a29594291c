import gc

gc.disable()  # what a start makes stays; looking through it again and again took a tenth of the start
from guitaronline import create_app  # noqa: E402  # the modules are most of it

app = create_app()
gc.collect()
gc.freeze()
gc.enable()
