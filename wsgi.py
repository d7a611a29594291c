from guitaronline import create_app

app = create_app()
