"""Addresses of the upper floor; each page's module names its own."""

from regimens.views import build, chart, infusing, infusion, library, missed, sheets, verify, worklist

urlpatterns = [
    *worklist.urls,
    *chart.urls,
    *build.urls,
    *verify.urls,
    *sheets.urls,
    *infusion.urls,
    *infusing.urls,
    *missed.urls,
    *library.urls,
]
