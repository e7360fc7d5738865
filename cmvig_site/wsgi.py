"""What gunicorn serves, once the database was found safe to serve from."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cmvig_site.settings")
os.environ.setdefault("CMVIG_POOL", "1")

application = get_wsgi_application()

# Here and not in a check that somebody might skip: no page is served from a database that could lose or quietly change a record.
from patients.checks import refuse_unsafe_database  # noqa: E402  (needs the apps loaded)

refuse_unsafe_database()
