"""What is planned, given and missed. One module per subject; import names from here."""

from regimens.models.course import Course, Mode, Order, PlannedDose, SheetCopy
from regimens.models.library import (
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
from regimens.models.notice import Notice, NoticeKind, NotifierRun
from regimens.models.record import (
    Administration,
    Decision,
    MissedDoseDecision,
    Moment,
    RateChange,
    Reaction,
    VialUse,
    VitalSigns,
)
from regimens.models.stock import Lot

__all__ = [
    "Administration",
    "Course",
    "Decision",
    "Limit",
    "Lot",
    "MissedDoseDecision",
    "Mode",
    "Moment",
    "Monograph",
    "Notice",
    "NoticeKind",
    "NotifierRun",
    "Order",
    "PlannedDose",
    "Product",
    "Protocol",
    "ProtocolDose",
    "Question",
    "RateChange",
    "RateStep",
    "RateTable",
    "Reaction",
    "ReactionTerm",
    "ReasonCode",
    "Section",
    "SheetCopy",
    "Statement",
    "VialSize",
    "VialUse",
    "VitalSigns",
]
