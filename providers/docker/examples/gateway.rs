//! The least program that gateways of the Docker runtime can be made from. The tests use it in the place of wharf.

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    if let Some(code) = wharf_docker::play_role(env::args_os()) {
        return code;
    }
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [command, option, folder] if command == "gateway" && option == "--dir" => {
            match wharf_gateway::run(
                &PathBuf::from(folder),
                wharf_gateway::Settings { workers: Some(1), take_over: false },
            ) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => panic!("{error}"),
            }
        }
        _ => ExitCode::FAILURE,
    }
}
