//! What one operation takes and answers: [`Operation`].

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    Operation as OpenApiOperation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};

use super::{BEARER, schemas};
use crate::error::Code;

/// Codes that any operation may answer with.
const COMMON: [Code; 3] = [Code::InvalidArgument, Code::NotFound, Code::Internal];
/// Codes of operations that need to know who calls.
const OF_CALLERS: [Code; 3] = [Code::Unauthenticated, Code::PermissionDenied, Code::RateLimited];

/// Describes one operation.
pub(in crate::http) struct Operation {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: Vec<(StatusCode, Response)>,
    codes: Vec<Code>,
    is_open: bool,
    /// The content type of lines that error statuses may have instead of a problem.
    instead_of_problem: Option<&'static str>,
}

impl Operation {
    pub(in crate::http) fn new(
        id: &'static str,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            id,
            summary,
            description,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: COMMON.to_vec(),
            is_open: false,
            instead_of_problem: None,
        }
    }

    /// Nobody asks who calls.
    pub(in crate::http) fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    pub(in crate::http) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    pub(in crate::http) fn body(mut self, body: RequestBody) -> Self {
        self.body = Some(body);
        self
    }

    /// Answers with that status where it went well.
    pub(in crate::http) fn answer(mut self, status: StatusCode, response: ResponseBuilder) -> Self {
        self.answers.push((status, response.build()));
        self
    }

    /// May fail with these codes, besides those of all operations.
    pub(in crate::http) fn problems(mut self, codes: &[Code]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    /// Error statuses that an event may come to after it was queued may have lines of that content type instead.
    pub(in crate::http) fn or_instead_of_problem(mut self, kind: &'static str) -> Self {
        self.instead_of_problem = Some(kind);
        self
    }

    /// The path names a record.
    pub(in crate::http) fn record(self) -> Self {
        self.parameter(part_of_path("seq", "The record's sequence number.", schemas::any_seq()))
    }

    /// Takes the conditions that hold for what is there as for what comes.
    pub(in crate::http) fn filters(mut self) -> Self {
        for (name, description) in schemas::GLOBS {
            self = self.parameter(optional(name, description, schemas::glob()));
        }
        self.parameter(optional(
            "session",
            "A condition on a member of `session`, PATH=GLOB, such as `user.id=mia_*`; may be given several times. A backslash \
             takes the next character as it is.",
            schemas::session(),
        ))
    }

    /// As the document has it at that prefix.
    pub(in crate::http) fn build(mut self, prefix: Prefix) -> OpenApiOperation {
        if !self.is_open {
            self.codes.extend_from_slice(&OF_CALLERS);
        }
        let mut operation = OperationBuilder::new()
            .operation_id(Some(format!("{}{}", self.id, prefix.id_suffix)))
            .summary(Some(self.summary))
            .description(Some(self.description))
            .request_body(self.body.take());
        if prefix.names_log() {
            operation = operation.parameter(part_of_path(
                "log",
                "The log's name.",
                schemas::text(1, 64, Some("^[a-z0-9_-]{1,64}$")),
            ));
        }
        for (status, response) in self.failures().into_iter().chain(self.answers) {
            operation = operation.response(status.as_str(), response);
        }
        for parameter in self.parameters {
            operation = operation.parameter(parameter);
        }
        if !self.is_open {
            operation = operation
                .security(SecurityRequirement::new(BEARER, [""; 0]))
                .security(SecurityRequirement::default());
        }
        operation.build()
    }

    /// One response for each status that a code has.
    fn failures(&self) -> Vec<(StatusCode, Response)> {
        let mut by_status: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
        for code in &self.codes {
            let codes = by_status.entry(code.http()).or_default();
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
        let failures = by_status.into_iter();
        let failures = failures.map(|(status, codes)| (status, self.failure(status, &codes)));
        // What is refused before it is a request has no body.
        let headers = ResponseBuilder::new()
            .description("The headers are over their limit, 16 KiB (limits.header_size_max).")
            .build();
        failures.chain([(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, headers)]).collect()
    }

    fn failure(&self, status: StatusCode, codes: &[Code]) -> Response {
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let reason = status.canonical_reason().unwrap_or_default();
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response = ResponseBuilder::new()
            .description(format!("{reason}: `{}`.", names.join("`, `")))
            .content("application/problem+json", problem);
        if let Some(kind) = self.instead_of_problem
            && codes.iter().any(|code| may_follow_queueing(*code))
        {
            let content = ContentBuilder::new().schema(Some(schemas::json_lines())).build();
            response = response.content(kind, content);
        }
        if codes.iter().any(|code| code.retry_after().is_some() || *code == Code::RateLimited) {
            let header = HeaderBuilder::new()
                .description(Some("Seconds after which a retry makes sense."))
                .schema(Some(schemas::whole_number(1, None)))
                .build();
            response = response.header("Retry-After", header);
        }
        response.build()
    }
}

/// Whether an event that was queued may come to that.
const fn may_follow_queueing(code: Code) -> bool {
    matches!(
        code,
        Code::NotWritten
            | Code::Halted
            | Code::Indeterminate
            | Code::Conflict
            | Code::ShuttingDown
            | Code::Internal
    )
}

/// What stands before an operation's path, and says of which log it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Prefix {
    pub(in crate::http) path: &'static str,
    /// Behind the operation's id, which is unique so.
    id_suffix: &'static str,
}

impl Prefix {
    /// The address of the service itself: the default log's tree.
    pub(in crate::http) const ROOT: Self = Self { path: "", id_suffix: "_at_root" };
    /// The default log.
    pub(in crate::http) const DEFAULT: Self = Self { path: "/v1", id_suffix: "" };
    /// The log that the path names.
    pub(in crate::http) const NAMED: Self = Self { path: "/v1/logs/{log}", id_suffix: "_of_log" };

    fn names_log(self) -> bool {
        self.path.ends_with("{log}")
    }
}

/// A parameter in the query that may be left out.
pub(in crate::http) fn optional(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    parameter(name, description, schema, ParameterIn::Query, Required::False)
}

/// A variable part of the path.
pub(in crate::http) fn part_of_path(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    parameter(name, description, schema, ParameterIn::Path, Required::True)
}

/// A parameter in the query that must be there.
pub(in crate::http) fn required(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    parameter(name, description, schema, ParameterIn::Query, Required::True)
}

/// A header that may be left out.
pub(in crate::http) fn header(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    parameter(name, description, schema, ParameterIn::Header, Required::False)
}

fn parameter(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
    place: ParameterIn,
    required: Required,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .description(Some(description))
        .parameter_in(place)
        .required(required)
        .schema(Some(schema))
        .build()
}
