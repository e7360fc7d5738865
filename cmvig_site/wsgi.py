"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cmvig_site.settings")
os.environ.setdefault("CMVIG_POOL", "1")

application = get_wsgi_application()
