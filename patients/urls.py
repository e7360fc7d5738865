"""Addresses of the patients floor. No name and no record number is ever part of one."""

from django.urls import path

from patients.views import audit, break_glass, history, people, records, search

urlpatterns = [
    path("patients/", search.search, name="patients"),
    path("audit/", audit.audit_page, name="audit"),
    path("audit/export/", audit.audit_export, name="audit-export"),
    path("audit/events/<int:event_id>/", audit.audit_event, name="audit-event"),
    path("audit/emergencies/<int:access_id>/acknowledge/", audit.acknowledge, name="emergency-acknowledge"),
    path("emergency/", break_glass.emergency, name="emergency"),
    path("patients/new/", people.new, name="patient-new"),
    path("patients/echo/", records.echo, name="patient-echo"),
    path("patients/<uuid:patient_id>/edit/", people.edit, name="patient-edit"),
    path("patients/<uuid:patient_id>/close/", people.close, name="patient-close"),
    path("patients/<uuid:patient_id>/weights/new/", records.weight_new, name="weight-new"),
    path("patients/<uuid:patient_id>/weights/<int:weight_id>/error/", records.weight_error, name="weight-error"),
    path("patients/<uuid:patient_id>/precautions/", records.precautions, name="precautions"),
    path("patients/<uuid:patient_id>/precautions/<str:kind>/release/", records.precaution_release, name="precaution-release"),
    path("patients/<uuid:patient_id>/transplants/new/", records.transplant_new, name="transplant-new"),
    path("patients/<uuid:patient_id>/history/", history.history, name="patient-history"),
    path("transplants/<uuid:transplant_id>/edit/", records.transplant_edit, name="transplant-edit"),
]
