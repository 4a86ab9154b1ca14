//! A format of our own, for whoever needs everything that is known.

use super::{path, severity};
use crate::{Problem, Problems, Region, Spot};
use serde_json::{Value, json};

/// The name and version of the format; the version grows when a reader of the old one would misunderstand the new one.
const FORMAT: &str = "wharf.problems/1";

/// The problems as JSON.
pub fn problems_json(problems: &Problems, folder: &str) -> String {
    let list: Vec<_> = problems.iter().map(|problem| object(problem, folder)).collect();
    let (errors, warnings) = (problems.errors().count(), problems.warnings().count());
    let allowed: Vec<_> = problems.allowed().map(|problem| allowed(problem, folder)).collect();
    let page = json!({
        "format": FORMAT,
        "errors": errors,
        "warnings": warnings,
        "problems": list,
        "allowed": allowed,
    });
    format!("{page:#}\n")
}

fn object(problem: &Problem, folder: &str) -> Value {
    let related: Vec<_> = problem.related_region().map(|other| place(other, folder)).into_iter().collect();
    let mut object = problem.region().map_or_else(
        || json!({ "file": null, "label": null, "start": null, "end": null }),
        |region| place(region, folder),
    );
    object["severity"] = severity(problem).into();
    object["code"] = problem.code().as_str().into();
    object["message"] = problem.message().into();
    object["help"] = problem.advice().into();
    object["related"] = related.into();
    object
}

/// A warning that the files allow, with why and where.
fn allowed(problem: &Problem, folder: &str) -> Value {
    let mut object = object(problem, folder);
    object["reason"] = problem.allowed().into();
    object["allowed"] = problem.allowed_region().map(|region| place(region, folder)).into();
    object
}

fn place(region: &Region, folder: &str) -> Value {
    let spot = |spot: Spot| json!({ "line": spot.line, "column": spot.column });
    json!({
        "file": path(folder, &region.file),
        "label": region.label,
        "start": spot(region.start),
        "end": spot(region.end),
    })
}
