//! `GET …/records/{seq}/proof`, `GET …/checkpoint` and `GET …/consistency`: what somebody without the log can check.

use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode, Uri};
use indelible::format::proof::growth::GrowthBundle;
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

use crate::engine::Log;
use crate::error::{ApiError, Code};
use crate::http::document::{Operation, required, schemas};
use crate::http::parameters::{Known, Parameters};
use crate::http::records::find::CHANGING;
use crate::http::request::{NoParameters, Readable, RecordSeq};
use crate::read::growth::{self, Size};

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A C2SP tlog-proof that the record is in the log that the newest checkpoint signs.
pub(super) async fn record(
    Readable(log): Readable,
    RecordSeq(seq): RecordSeq,
    _: NoParameters,
) -> Result<Response, ApiError> {
    let proof = log.read(move |_, prover| Ok(prover.record(seq)?.to_string())).await?;
    Ok(text(proof, &log))
}

/// The newest signed checkpoint.
pub(super) async fn checkpoint(
    Readable(log): Readable,
    _: NoParameters,
) -> Result<Response, ApiError> {
    let checkpoint = log.read(|_, prover| Ok(prover.checkpoint()?.note.to_string())).await?;
    Ok(text(checkpoint, &log))
}

/// A proof that the log only grew since it had `from` records.
pub(super) async fn consistency(Readable(log): Readable, uri: Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::of(&uri, Known { once: &["from"], repeated: &[] })?;
    let Some(from) = parameters.number("from")? else {
        return Err(ApiError::field(
            "from",
            "it is missing: the size of the checkpoint that is kept",
        ));
    };
    let from = Size { field: "from", records: from };
    let proof =
        log.read(move |reader, prover| growth::consistency(reader, prover, from, None)).await?;
    let bundle = GrowthBundle::new(proof.from, proof.hashes, proof.checkpoint.note);
    Ok(text(bundle.to_string(), &log))
}

fn text(body: String, log: &Log) -> Response {
    let mut response = Response::new(log.unread().reads.counted(body).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    // Each leads to the newest checkpoint, of which there is soon a newer one.
    headers.insert(CACHE_CONTROL, CHANGING);
    response
}

/// For the document.
pub(super) fn describe_record() -> Operation {
    Operation::new(
        "prove",
        "Proves that a record is in the log",
        "A C2SP tlog-proof, which `indelible verify-proof` takes, up to the newest checkpoint.",
    )
    .record()
    .answer(StatusCode::OK, plain("The proof, with the stored line and the checkpoint in it."))
    .problems(&[Code::Pruned, Code::NotCovered, Code::TooMany, Code::DataLoss])
}

/// For the document.
pub(super) fn describe_checkpoint() -> Operation {
    Operation::new(
        "checkpoint",
        "Returns the newest signed checkpoint",
        "A signed note (C2SP tlog-checkpoint). Keep it where who can write the log can't. Of a log with `public_tree = true` it takes no token.",
    )
    .answer(StatusCode::OK, plain("The checkpoint."))
    .problems(&[Code::TooMany, Code::DataLoss])
}

/// For the document.
pub(super) fn describe_consistency() -> Operation {
    Operation::new(
        "prove_growth",
        "Proves that the log only grew",
        "A proof of growth (`docs/spec/proofs.md`) from the tree of `from` records to the newest checkpoint, which \
         `indelible verify-proof` takes together with the checkpoint that was kept.",
    )
    .parameter(required("from", "The size of a checkpoint that the client keeps.", schemas::whole_number(1, None)))
    .answer(StatusCode::OK, plain("The proof, with the newest checkpoint in it."))
    .problems(&[Code::NotCovered, Code::TooMany, Code::DataLoss])
}

fn plain(what: &str) -> ResponseBuilder {
    let text = schemas::text(1, 1 << 22, None);
    ResponseBuilder::new()
        .description(what)
        .content("text/plain; charset=utf-8", ContentBuilder::new().schema(Some(text)).build())
}
