//! The command `micse`.

fn main() -> std::process::ExitCode {
    micse::cli::main()
}
