//! All findings of the report.

use super::table::{Cell, Column, Table};
use crate::state::Row;
use crate::text::clean;
use crate::theme::{HANG, PLAIN, confidence};

pub(super) const TABLE: Table = Table {
    columns: &[Column::new("finding", 20), Column::new("sure", 8), Column::stretching("what", 20, 1)],
    rows: |model, _| (0..model.report.findings.len()).map(Row::Finding).collect(),
    cells: |model, _, row| {
        let Row::Finding(i) = row else { return Vec::new() };
        let Some(finding) = model.report.findings.get(i) else { return Vec::new() };
        vec![
            Cell::styled(finding.kind.name(), if finding.kind.is_hang() { HANG } else { PLAIN }),
            Cell::styled(finding.confidence.word(), confidence(finding.confidence)),
            Cell::new(clean(&finding.sentence).into_owned()),
        ]
    },
    empty: |_, _| "The report has no findings.",
};
