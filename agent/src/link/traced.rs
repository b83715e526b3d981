//! A receipt in the traces of the rollouts that it answers for.

use flagship_proto::{
    model::{Receipt, ReceiptState, WorkloadReceipt},
    process::traces::{Span, TraceId, Tracer},
};

use super::{Permission, handle::LinkHandle};

/// Tells what is answered to an abort, for each workload whose order it stops.
pub(super) fn receipt(tracer: &Tracer, link: &LinkHandle, receipt: &Receipt) {
    if !tracer.is_on() {
        return;
    }
    for answered in &receipt.workloads {
        let ruling = link.permission(&answered.workload, link.now());
        if let Some(ruling) = ruling {
            tracer.span(span(receipt, answered, &ruling));
        }
    }
}

fn span(receipt: &Receipt, answered: &WorkloadReceipt, ruling: &Permission) -> Span {
    let order = ruling.order();
    let trace = TraceId::of_order(order);
    let workload = answered.workload.to_string();
    let (incarnation, seq) = (receipt.incarnation.0.to_string(), receipt.seq.to_string());
    let id = [
        "receipt",
        receipt.uid.as_str(),
        &workload,
        &incarnation,
        &seq,
    ];
    // The abort is told by who stops the rollout; one that has ended takes up none.
    let abort = trace.abort(&receipt.abort);
    let (state, parent, failed) = match &answered.state {
        ReceiptState::Returned => ("returned", abort, None),
        ReceiptState::Returning { .. } => ("returning", abort, None),
        ReceiptState::Held => ("held", abort, None),
        ReceiptState::NotStopped { reason, .. } => ("notStopped", abort, Some(reason.clone())),
        ReceiptState::Done => ("done", trace.start(), None),
        ReceiptState::Idle => ("idle", trace.start(), None),
    };
    let span = Span::new(trace, trace.span(&id), "receipt", (receipt.at, receipt.at))
        .below(parent)
        .with("flagship.abort", &receipt.abort)
        .with("flagship.cluster", &receipt.cluster)
        .with("flagship.workload", &workload)
        .with("flagship.state", state)
        .with("flagship.durable", receipt.durable)
        .failing(failed);
    match answered.read_back {
        Some(weight) => span.counted("flagship.weight", weight.get()),
        None => span,
    }
}
