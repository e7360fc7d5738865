"""The monograph as a page to read: any published version, with every number's source."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.actions import library as actions
from regimens.domain.library_diff import differences
from regimens.forms.course import SignForm
from regimens.forms.library import SendBackForm
from regimens.models import Monograph
from regimens.templatetags import display


def monograph(request: HttpRequest, version: int | None = None) -> HttpResponse:
    """The published monograph, or an earlier version of it."""
    require(request.membership, "read_monograph")
    kept = Monograph.objects.filter(state__in=(Monograph.State.PUBLISHED, Monograph.State.RETIRED))
    versions = list(kept.order_by("-version"))
    chosen = next((m for m in versions if m.version == version or (version is None and m.state == "published")), None)
    if chosen is None:
        raise Http404("Not found")
    value = chosen.to_domain()
    zone = request.membership.centre.time_zone
    context = {
        "monograph": chosen,
        "value": value,
        "submitted": _submitted(request),
        "versions": versions,
        "published": display.format_instant(chosen.published_at, zone),
        "common": [r for r in value.reactions if r.seriousness == "common"],
        "serious": [r for r in value.reactions if r.seriousness == "serious"],
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


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """What a submitted draft changes, value by value; another person than the editor publishes it, signed, or sends it back."""
    require(request.membership, "publish_monograph")
    draft = get_object_or_404(
        Monograph.objects.select_related("based_on", "drafted_by__user"), pk=pk, state=Monograph.State.SUBMITTED
    )
    value = draft.to_domain()
    form = SignForm(request.POST) if "publish" in request.POST else SignForm()
    back = SendBackForm(request.POST) if "send_back" in request.POST else SendBackForm()
    refusal = None
    try:
        if "publish" in request.POST and form.is_valid():
            signed_by(request, form.cleaned_data["password"], done="published")
            actions.publish(monograph=draft, by=request.membership, at=timezone.now())
            messages.success(request, "Published. New courses use this version; running courses keep theirs.")
            return redirect("monograph")
        if "send_back" in request.POST and back.is_valid():
            actions.send_back(monograph=draft, by=request.membership, at=timezone.now(), reason=back.cleaned_data["reason"])
            messages.success(request, "Sent back to the editor.")
            return redirect("monograph")
    except Refusal as refused:
        refusal = refused
    before = draft.based_on.to_domain() if draft.based_on else None
    context = {
        "draft": draft,
        "value": value,
        "differences": differences(before, value) if before else [],
        "form": form,
        "back": back,
        "refusal": refusal,
    }
    return render(request, "regimens/publish.html", context, status=422 if request.method == "POST" else 200)


urls = [
    path("monograph/drafts/<int:pk>/publish/", publish, name="monograph-publish"),
    path("monograph/", monograph, name="monograph"),
    path("monograph/<int:version>/", monograph, name="monograph-version"),
]
