"""Printing a dose's sheet: a POST, because every copy is recorded; and the page a sheet's code leads to."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from regimens.access import dose_for
from regimens.actions import sheets
from regimens.sheets import typeset

SIZES: dict[str, typeset.Size] = {"a4": "a4", "letter": "letter"}


@require_POST
def dose_sheet(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """The PDF of one dose as the next numbered copy. The file's name carries the code, never a person."""
    dose = dose_for(request.membership, dose_id)
    size = SIZES.get(request.POST.get("size", "a4"))
    if size is None:
        return HttpResponseBadRequest("Choose A4 or Letter.")
    copy = sheets.register_copy(dose=dose, size=size, by=request.membership, at=timezone.now())
    sheet = sheets.dose_sheet(dose=dose, copy=copy, check_url=request.build_absolute_uri(reverse("dose", args=[dose.pk])))
    response = HttpResponse(typeset.dose_sheet_pdf(sheet, size), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="dose-sheet-{copy.code}-{copy.copy_number}.pdf"'
    return response


urls = [path("doses/<uuid:dose_id>/sheet/", dose_sheet, name="dose-sheet")]
