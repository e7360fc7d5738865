"""The monograph in the admin panel: a draft is edited row by row, submitted, and published elsewhere by another person.

Everything that is not a draft is shown and never edited; the database refuses it as well.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from patients import audit
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import library as actions
from regimens.domain.library_checks import problems
from regimens.models import (
    Limit,
    Monograph,
    Product,
    Protocol,
    ProtocolDose,
    Question,
    RateStep,
    RateTable,
    ReactionTerm,
    ReasonCode,
    Section,
    Statement,
    VialSize,
)


def monograph_of(row: Any) -> Monograph:
    """The version a row belongs to."""
    while not isinstance(row, Monograph):
        row = next(getattr(row, name) for name in ("monograph", "protocol", "table", "product") if hasattr(row, name))
    return row


class DraftOnly:
    """Rows are added, changed and removed in a draft; in every other version they are only read."""

    def _editable(self, request: HttpRequest, obj: Any) -> bool:
        return obj is not None and monograph_of(obj).state == Monograph.State.DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._editable(request, obj) and request.user.has_perm("regimens.change_monograph")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or self._editable(request, obj)) and request.user.has_perm("regimens.change_monograph")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._editable(request, obj) and request.user.has_perm("regimens.change_monograph")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("regimens.view_monograph")


class DraftForm(forms.ModelForm):
    """Text comes with a browser's line ends; a monograph has its own, so that an export reads back the same."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        return {name: value.replace("\r\n", "\n") if isinstance(value, str) else value for name, value in cleaned.items()}


class Rows(DraftOnly, admin.TabularInline):
    """Rows of a version, in the order of the page."""

    form = DraftForm
    extra = 0
    formfield_overrides = {models.TextField: {"widget": forms.Textarea(attrs={"rows": 3, "cols": 60})}}


class Passages(DraftOnly, admin.StackedInline):
    """Longer texts of a version."""

    form = DraftForm
    extra = 0


class VialRows(Rows):
    model = VialSize


class DoseRows(Passages):
    model = ProtocolDose
    fieldsets = (
        (None, {"fields": (("position", "code", "title"), ("mg_per_kg", "offset_days"), ("source_kind", "source_ref"))}),
        (
            "Window",
            {
                "fields": (
                    ("opens_days_before", "closes_days_after", "closes_after_hours"),
                    ("min_interval_hours", "latest_late_day"),
                    ("window_source_kind", "window_source_ref"),
                )
            },
        ),
        ("Only for doses that are not part of every course", {"fields": (("optional", "alternative_of", "repeats"),)}),
    )


class StepRows(Rows):
    model = RateStep


class LimitRows(Rows):
    model = Limit


class SectionRows(Passages):
    model = Section


class QuestionRows(Passages):
    model = Question


class ReactionRows(Rows):
    model = ReactionTerm


class StatementRows(Passages):
    model = Statement


class ReasonRows(Rows):
    model = ReasonCode


class PartAdmin(DraftOnly, admin.ModelAdmin):
    """A part of a version with rows of its own. It is reached from its version, and goes back there."""

    form = DraftForm
    exclude = ("monograph",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved with its event, in the transaction of the page."""
        edited(request, monograph_of(obj), form)
        super().save_model(request, obj, form, change)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if "_continue" in request.POST:
            return super().response_change(request, obj)
        messages.success(request, f"{obj} is saved in the draft.")
        return redirect("admin:regimens_monograph_change", monograph_of(obj).pk)


def edited(request: HttpRequest, monograph: Monograph, form: Any) -> None:
    """One event for one press of Save, naming what was edited."""
    require(getattr(request, "membership", None), "edit_monograph")
    audit.event(
        "edit_monograph_draft",
        by=request.membership,
        draft=monograph.pk,
        part=form.instance._meta.model_name,
        changed=form.changed_data,
    )


@admin.register(Product)
class ProductAdmin(PartAdmin):
    inlines = (VialRows,)


@admin.register(Protocol)
class ProtocolAdmin(PartAdmin):
    inlines = (DoseRows,)


@admin.register(RateTable)
class RateTableAdmin(PartAdmin):
    inlines = (StepRows,)


@admin.register(Monograph)
class MonographAdmin(DraftOnly, admin.ModelAdmin):
    """Versions of the monograph; a draft opens for editing."""

    form = DraftForm
    list_display = ("__str__", "state", "title", "drafted_at", "published_at")
    list_filter = ("state",)
    ordering = ("-pk",)
    fields = ("title", "what_changed", "parts", "checks", "next_step")
    readonly_fields = ("parts", "checks", "next_step")
    # One part a page: all of them at once would be some 1,500 boxes.
    parts_with_rows = {
        "limits": ("Limits", LimitRows),
        "texts": ("Texts", SectionRows),
        "statements": ("Contraindications, risks, cautions and interactions", StatementRows),
        "reactions": ("Reactions", ReactionRows),
        "questions": ("Questions", QuestionRows),
        "reasons": ("Reason lists", ReasonRows),
    }
    change_list_template = "admin/monographs.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a draft starts from the published version, or from a file

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a draft is discarded, and stays readable

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("draft/", own(self.start_draft), name="regimens_monograph_draft"),
            path("<int:pk>/submit/", own(self.submit), name="regimens_monograph_submit"),
            *super().get_urls(),
        ]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The rows of the part that was asked for; none on the version's own page."""
        part = self.parts_with_rows.get(request.GET.get("part", ""))
        return (part[1],) if part else ()

    @admin.display(description="Parts")
    def parts(self, obj: Monograph) -> str:
        """Links to everything a version is made of."""
        rows: list[tuple[str, Any]] = [("product", obj.product)]
        rows += [("protocol", row) for row in obj.protocols.all()] + [("ratetable", row) for row in obj.rate_tables.all()]
        links = ((reverse(f"admin:regimens_{name}_change", args=[row.pk]), str(row)) for name, row in rows)
        pages = ((f"?part={name}", title) for name, (title, _) in self.parts_with_rows.items())
        items = format_html_join("", '<li><a href="{}">{}</a></li>', [*links, *pages])
        return format_html("<ul>{}</ul>", items)

    @admin.display(description="Checks")
    def checks(self, obj: Monograph) -> str:
        """What would stop publication, by the place where it stands."""
        found = list(problems(obj.to_domain()))
        if not found:
            return "Nothing stands against publishing this version."
        return format_html(
            "<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", ((problem.field, problem.sentence) for problem in found))
        )

    @admin.display(description="Next step")
    def next_step(self, obj: Monograph) -> str:
        """What happens to this version next, and by whom."""
        if obj.state == Monograph.State.DRAFT:
            return format_html(
                '<a class="button" href="{}">Submit for publication</a> Save your changes first.',
                reverse("admin:regimens_monograph_submit", args=[obj.pk]),
            )
        if obj.state == Monograph.State.SUBMITTED:
            return format_html(
                '<a class="button" href="{}">Read what changes, and publish</a> Another person than the editor does this.',
                reverse("monograph-publish", args=[obj.pk]),
            )
        return obj.get_state_display()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved with its event, in the transaction of the page."""
        edited(request, obj, form)
        super().save_model(request, obj, form, change)

    def start_draft(self, request: HttpRequest) -> HttpResponse:
        """A draft that says what the published version says; a POST."""
        if request.method == "POST":
            try:
                draft = actions.draft_from_published(by=request.membership, at=timezone.now())
            except Refusal as refusal:
                messages.error(request, refusal.sentence)
            else:
                return redirect("admin:regimens_monograph_change", draft.pk)
        return redirect("admin:regimens_monograph_changelist")

    def submit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask before a draft is handed over; a POST hands it over."""
        monograph = self.get_object(request, str(pk))
        if monograph is None:
            return redirect("admin:regimens_monograph_changelist")
        if request.method == "POST":
            try:
                actions.submit(monograph=monograph, by=request.membership, at=timezone.now())
            except Refusal as refusal:
                messages.error(request, refusal.sentence)
            else:
                messages.success(request, "Submitted. Another person reads it and publishes.")
            return redirect("admin:regimens_monograph_change", pk)
        context = {**self.admin_site.each_context(request), "monograph": monograph, "title": "Submit for publication"}
        return TemplateResponse(request, "admin/monograph_submit.html", context)
