"""The monograph as a page to read: any published version, with every number's source."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path

from patients.roles import may, require
from regimens.domain.library_diff import differences
from regimens.models import Monograph
from regimens.templatetags import display
from regimens.views import monograph_search
from regimens.views.monograph_draft import difference_groups


def monograph(request: HttpRequest, version: int | None = None) -> HttpResponse:
    """The published monograph, or an earlier version of it."""
    require(request.membership, "read_monograph")
    kept = Monograph.objects.filter(state__in=(Monograph.State.PUBLISHED, Monograph.State.RETIRED))
    versions = list(kept.select_related("published_by__user").order_by("-version"))
    chosen = next((m for m in versions if m.version == version or (version is None and m.state == "published")), None)
    if chosen is None:
        raise Http404("Not found")
    value = chosen.to_domain()
    zone = request.membership.centre.time_zone
    typed = request.GET.get("q", "").strip()[:80]
    numbered = list(enumerate(value.reactions, start=1))
    context = {
        "typed": typed,
        "found": monograph_search.find(value, typed),
        "monograph": chosen,
        "value": value,
        "submitted": _submitted(request),
        "versions": versions,
        "published": display.format_instant(chosen.published_at, zone),
        "may_review": may(request.membership, "read_charts"),
        "common": [(number, r) for number, r in numbered if r.seriousness == "common"],
        "serious": [(number, r) for number, r in numbered if r.seriousness == "serious"],
        "kinds": [
            (title, [s for s in value.statements if s.kind == kind])
            for kind, title in (
                ("contraindication", "Contraindications"),
                ("increased_risk", "Increased risks"),
                ("caution", "Use with caution"),
                ("interaction", "Interactions"),
            )
        ],
    }
    return render(request, "regimens/monograph.html", context)


def _submitted(request: HttpRequest) -> list[Monograph]:
    """Drafts that wait for somebody like this person to publish them."""
    if not may(request.membership, "publish_monograph"):
        return []
    return list(Monograph.objects.filter(state=Monograph.State.SUBMITTED).select_related("drafted_by__user"))


def changes(request: HttpRequest, version: int) -> HttpResponse:
    """A version side by side with the one it was drafted from."""
    require(request.membership, "read_monograph")
    kept = Monograph.objects.filter(state__in=(Monograph.State.PUBLISHED, Monograph.State.RETIRED))
    found = get_object_or_404(kept.select_related("based_on", "drafted_by__user", "published_by__user"), version=version)
    before = found.based_on.to_domain() if found.based_on else None
    context = {
        "monograph": found,
        "published": display.format_instant(found.published_at, request.membership.centre.time_zone),
        "groups": difference_groups(differences(before, found.to_domain())) if before else None,
    }
    return render(request, "regimens/monograph_changes.html", context)


urls = [
    path("monograph/<int:version>/changes/", changes, name="monograph-changes"),
    path("monograph/", monograph, name="monograph"),
    path("monograph/<int:version>/", monograph, name="monograph-version"),
]
