"""The monograph in the admin panel: a draft is edited row by row, submitted, and published elsewhere by another person.

Everything that is not a draft is shown and never edited; the database refuses it as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
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
from regimens.admin_rows import (
    DoseRows,
    DraftForm,
    DraftOnly,
    LimitRows,
    QuestionRows,
    ReactionRows,
    ReasonRows,
    SectionRows,
    StatementRows,
    StepRows,
    VialRows,
    in_unit_of,
    monograph_of,
)
from regimens.domain.library_checks import problems
from regimens.models import Monograph, Product, Protocol, RateTable


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

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Another concentration makes other mg of the same mL."""
        super().save_related(request, form, formsets, change)
        actions.derive_mg(monograph=form.instance.monograph, by=request.membership)


@admin.register(Protocol)
class ProtocolAdmin(PartAdmin):
    inlines = (DoseRows,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """As it is read: what it is, for whom, and its cap in the unit of the product's label."""
        cap = in_unit_of(obj, "cap_mg_per_kg", "cap_ml_per_kg")
        return (
            (None, {"fields": (("position", "code", "title"), "indication", ("anchor", "intent"), ("off_label", "enabled"))}),
            ("For whom", {"fields": (("organs", "population"),)}),
            ("Cap per infusion", {"fields": (cap, ("cap_source_kind", "cap_source_ref"))}),
            ("Source of the protocol", {"fields": (("source_kind", "source_ref"),)}),
        )


@admin.register(RateTable)
class RateTableAdmin(PartAdmin):
    inlines = (StepRows,)


class NewProtocolForm(forms.Form):
    """A center's own protocol begins as a copy of one that is there, switched off."""

    like = forms.ModelChoiceField(label="Begin with the doses of", queryset=Protocol.objects.none())
    code = forms.SlugField(label="Code", max_length=40, help_text="Letters, digits, - and _; orders refer to it")
    title = forms.CharField(label="Title", max_length=120)

    def __init__(self, *args: Any, monograph: Monograph, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["like"].queryset = monograph.protocols.all()


class DiscardForm(forms.Form):
    """Why a draft is put aside."""

    reason = forms.CharField(label="Reason", max_length=300)


@admin.register(Monograph)
class MonographAdmin(DraftOnly, admin.ModelAdmin):
    """Versions of the monograph; a draft opens for editing."""

    form = DraftForm
    list_display = ("__str__", "state", "what_changed", "begun", "published", "compare")
    list_filter = ("state",)
    list_select_related = ("drafted_by__user", "published_by__user", "based_on")
    ordering = ("-pk",)
    fields = ("title", "what_changed", "parts", "checks", "next_step")
    readonly_fields = ("parts", "checks", "next_step")
    # One part a page, in the order of the page to read: all of them at once would be some 1,500 boxes.
    parts_with_rows = {
        "texts": ("Texts", SectionRows),
        "limits": ("Limits", LimitRows),
        "reactions": ("Reactions", ReactionRows),
        "statements": ("Contraindications, risks, cautions and interactions", StatementRows),
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
            path("<int:pk>/protocol/", own(self.add_protocol), name="regimens_monograph_protocol"),
            path("<int:pk>/discard/", own(self.discard), name="regimens_monograph_discard"),
            *super().get_urls(),
        ]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The rows of the part that was asked for; none on the version's own page."""
        part = self.parts_with_rows.get(request.GET.get("part", ""))
        return (part[1],) if part else ()

    # The list of versions ------------------------------------------------------------------------------------------------

    @admin.display(description="Begun", ordering="drafted_at")
    def begun(self, obj: Monograph) -> str:
        """By whom, and from which version."""
        who = obj.drafted_by.user.printed_name if obj.drafted_by else "from a file"
        return f"{who}, on version {obj.based_on.version}" if obj.based_on else who

    @admin.display(description="Published", ordering="published_at")
    def published(self, obj: Monograph) -> str:
        """By whom; the installation itself published the shipped one."""
        if obj.published_at is None:
            return "-"
        return obj.published_by.user.printed_name if obj.published_by else f"shipped with release {obj.shipped_with}"

    @admin.display(description="Compare")
    def compare(self, obj: Monograph) -> str:
        """Side by side with the version before it; a draft with what would follow from it."""
        if obj.state in (Monograph.State.DRAFT, Monograph.State.SUBMITTED):
            return format_html('<a href="{}">Differences and impact</a>', reverse("monograph-publish", args=[obj.pk]))
        if obj.version and obj.based_on_id:
            return format_html('<a href="{}">Differences</a>', reverse("monograph-changes", args=[obj.version]))
        return "-"

    # The page of a version -----------------------------------------------------------------------------------------------

    @admin.display(description="Parts")
    def parts(self, obj: Monograph) -> str:
        """Links to everything a version is made of, in the order of the page to read."""
        texts, *others = ((f"?part={name}", title) for name, (title, _) in self.parts_with_rows.items())
        rows: list[tuple[str, Any]] = [("product", obj.product)]
        rows += [("protocol", row) for row in obj.protocols.all()] + [("ratetable", row) for row in obj.rate_tables.all()]
        links = ((reverse(f"admin:regimens_{name}_change", args=[row.pk]), str(row)) for name, row in rows)
        items = format_html_join("", '<li><a href="{}">{}</a></li>', [texts, *links, *others])
        return format_html("<ul>{}</ul>{}", items, self._link(obj, "protocol", "Add a protocol"))

    @admin.display(description="Checks")
    def checks(self, obj: Monograph) -> str:
        """What would stop publication, by the place where it stands."""
        found = list(problems(obj.to_domain(), in_use=True))
        if not found:
            return "Nothing stands against publishing this version."
        return format_html(
            "<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", ((problem.field, problem.sentence) for problem in found))
        )

    @admin.display(description="Next step")
    def next_step(self, obj: Monograph) -> str:
        """What happens to this version next, and by whom."""
        read = format_html(
            '<a class="button" href="{}">Differences and impact</a>', reverse("monograph-publish", args=[obj.pk])
        )
        if obj.state == Monograph.State.DRAFT:
            return format_html(
                "{} {} {} Save your changes first.",
                read,
                self._link(obj, "submit", "Submit for publication"),
                self._link(obj, "discard", "Discard"),
            )
        if obj.state == Monograph.State.SUBMITTED:
            return format_html("{} Another person than the editor reads this and publishes.", read)
        return obj.get_state_display()

    def _link(self, obj: Monograph, name: str, label: str) -> str:
        """A button to one of the pages about a draft; nothing for another version."""
        if obj.state != Monograph.State.DRAFT:
            return ""
        return format_html(
            '<a class="button" href="{}">{}</a>', reverse(f"admin:regimens_monograph_{name}", args=[obj.pk]), label
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved with its event, in the transaction of the page."""
        edited(request, obj, form)
        super().save_model(request, obj, form, change)

    # What is done with a draft -------------------------------------------------------------------------------------------

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

        def act(draft: Monograph, data: dict[str, Any]) -> None:
            actions.submit(monograph=draft, by=request.membership, at=timezone.now())
            messages.success(request, "Submitted. Another person reads it and publishes.")

        text = "Hand this draft to the person who publishes? From then on it is not edited."
        return self._ask(request, pk, "Submit for publication", text, forms.Form, act)

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask why a draft is put aside; a POST puts it aside."""

        def act(draft: Monograph, data: dict[str, Any]) -> None:
            actions.discard(monograph=draft, by=request.membership, at=timezone.now(), reason=data["reason"])
            messages.success(request, "Discarded. It stays readable.")

        return self._ask(request, pk, "Discard", "A discarded draft is never edited or published.", DiscardForm, act)

    def add_protocol(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A center's own protocol in a draft, without code; a POST makes it."""

        def act(draft: Monograph, data: dict[str, Any]) -> None:
            actions.add_protocol(monograph=draft, by=request.membership, **data)
            messages.success(request, f"{data['title']} is added, switched off. Change its doses, then enable it.")

        text = (
            "It begins with the doses of another one. Change them on its page, with your center's own source, then enable it."
        )
        return self._ask(request, pk, "Add a protocol", text, NewProtocolForm, act)

    def _ask(
        self,
        request: HttpRequest,
        pk: int,
        title: str,
        text: str,
        form_class: type[forms.Form],
        act: Callable[[Monograph, dict[str, Any]], None],
    ) -> HttpResponse:
        """One page with one button: what is asked, and the act with its refusal."""
        require(getattr(request, "membership", None), "edit_monograph")
        draft = self.get_object(request, str(pk))
        if draft is None:
            return redirect("admin:regimens_monograph_changelist")
        more: dict[str, Any] = {"monograph": draft} if form_class is NewProtocolForm else {}
        form = form_class(request.POST, **more) if request.method == "POST" else form_class(**more)
        if request.method == "POST" and form.is_valid():
            try:
                act(draft, form.cleaned_data)
            except Refusal as refusal:
                messages.error(request, refusal.sentence)
            return redirect("admin:regimens_monograph_change", pk)
        context = {**self.admin_site.each_context(request), "monograph": draft, "title": title, "text": text, "form": form}
        return TemplateResponse(request, "admin/monograph_ask.html", context)
