//! Settings from the environment, read as Python's `huggingface_hub` reads them.
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

const ENDPOINT: &str = "https://huggingface.co";

/// The addresses of the Hub and its cache, and limits for requests.
///
/// | field | variables, the first that is set and not empty |
/// |---|---|
/// | `cache` | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `$HF_HOME/hub`, `$XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub` |
/// | `endpoint` | `HF_ENDPOINT`, `https://huggingface.co` |
/// | `token` | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `token` in `HF_HOME`; none at all with `HF_HUB_DISABLE_IMPLICIT_TOKEN` |
/// | `offline` | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` |
///
/// In paths, a leading `~` and `$NAME` or `${NAME}` are expanded. Switches are on for 1, on, yes and true in
/// any case.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder that contains `models--OWNER--NAME` and its siblings.
    pub cache: PathBuf,
    /// The Hub's address, without a trailing slash.
    pub endpoint: String,
    /// The access token, sent to the Hub's host only.
    pub token: Option<String>,
    /// Offline mode: use only the cache.
    pub offline: bool,
    /// Time limits and attempts.
    pub patience: Patience,
}

/// Time limits and number of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Consecutive attempts without a new byte, at least 1.
    pub attempts: u32,
    /// The pause after the first attempt; it doubles after each further one.
    pub pause: Duration,
    /// Maximum time to establish a connection.
    pub connect: Duration,
    /// Maximum time without a byte on a connection.
    pub stall: Duration,
    /// Maximum time to wait for another process that holds a file's lock.
    pub lock: Duration,
}

impl Default for Patience {
    /// 4 attempts with pauses of 0.5, 1 and 2 s; 10 s to connect, 30 s without a byte, one hour for a lock.
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(500),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            lock: Duration::from_hours(1),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("offline", &self.offline)
            .field("patience", &self.patience)
            .finish()
    }
}

impl Settings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// The errors of [`Self::from_variables`].
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads the given environment.
    ///
    /// # Errors
    /// [`Error::Environment`]: no variable determines a cache folder, or a text variable is not UTF-8.
    /// [`Error::File`]: the token file exists but cannot be read.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let variables = Variables { lookup };
        let home = match variables.path("HF_HOME") {
            Some(home) => Some(home),
            None => variables
                .path("XDG_CACHE_HOME")
                .or_else(|| variables.home().map(|home| home.join(".cache")))
                .map(|caches| caches.join("huggingface")),
        };
        let cache = variables
            .path("HF_HUB_CACHE")
            .or_else(|| variables.path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| home.as_ref().map(|home| home.join("hub")))
            .ok_or_else(|| Error::Environment {
                variable: "HF_HOME",
                problem: "is not set, and neither is HOME; set it to a folder for downloaded models".into(),
            })?;
        let endpoint = variables.text("HF_ENDPOINT")?.unwrap_or_else(|| ENDPOINT.to_owned());
        let token = if variables.switch("HF_HUB_DISABLE_IMPLICIT_TOKEN")? == Some(true) {
            None
        } else {
            variables.token(home.as_deref())?
        };
        let offline = match variables.switch("HF_HUB_OFFLINE")? {
            Some(offline) => offline,
            None => variables.switch("TRANSFORMERS_OFFLINE")?.unwrap_or(false),
        };
        Ok(Self {
            cache,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            offline,
            patience: Patience::default(),
        })
    }
}

/// An environment in which an empty variable counts as unset.
struct Variables<F> {
    lookup: F,
}

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    fn get(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>> {
        let text = |value: OsString| {
            value
                .into_string()
                .map_err(|_| Error::Environment { variable: name, problem: "is not UTF-8".to_owned() })
        };
        self.get(name).map(text).transpose()
    }

    fn switch(&self, name: &'static str) -> Result<Option<bool>> {
        let on = |value: String| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str());
        Ok(self.text(name)?.map(on))
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME").or_else(|| self.get("USERPROFILE")).map(PathBuf::from)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|value| match value.to_str() {
            Some(text) => self.expand(text),
            None => PathBuf::from(value),
        })
    }

    /// Expands a leading `~` and variables; an unknown variable is kept as written.
    fn expand(&self, text: &str) -> PathBuf {
        let mut rest = text;
        let mut path = OsString::new();
        if (text == "~" || text.starts_with("~/"))
            && let Some(home) = self.home()
        {
            path.push(home);
            rest = &text[1..];
        }
        while let Some(at) = rest.find('$') {
            path.push(&rest[..at]);
            let after = &rest[at + 1..];
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let plain = || after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
            let (name, end) =
                braced.map_or_else(|| (plain(), plain().len()), |(name, _)| (name, name.len() + 2));
            match if name.is_empty() { None } else { (self.lookup)(name) } {
                Some(value) => path.push(value),
                None => path.push(&rest[at..=at + end]),
            }
            rest = &after[end..];
        }
        path.push(rest);
        PathBuf::from(path)
    }

    fn token(&self, home: Option<&Path>) -> Result<Option<String>> {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(token) = self.text(name)?.as_deref().and_then(clean) {
                return Ok(Some(token));
            }
        }
        let Some(path) = self.path("HF_TOKEN_PATH").or_else(|| home.map(|home| home.join("token"))) else {
            return Ok(None);
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(clean(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File {
                action: "read the token file",
                path,
                remedy: "fix it, set HF_TOKEN, or set HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to use no token",
                source,
            }),
        }
    }
}

fn clean(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "").trim().to_owned();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        settings(variables).expect("settings").cache
    }

    #[test]
    fn the_cache_follows_the_order_of_pythons_library() {
        let all = [
            ("HOME", "/home/a"),
            ("XDG_CACHE_HOME", "/xdg"),
            ("HF_HOME", "/hf"),
            ("HUGGINGFACE_HUB_CACHE", "/old"),
            ("HF_HUB_CACHE", "/new"),
        ];
        let expected = ["/home/a/.cache/huggingface/hub", "/xdg/huggingface/hub", "/hf/hub", "/old", "/new"];
        for (last, expected) in expected.iter().enumerate() {
            assert_eq!(cache(&all[..=last]), Path::new(expected));
        }
        assert_eq!(cache(&[("HOME", "/home/a"), ("HF_HOME", "")]), Path::new(expected[0]), "empty is unset");
        assert!(matches!(settings(&[]), Err(Error::Environment { variable: "HF_HOME", .. })));
    }

    #[test]
    fn home_and_variables_in_paths_are_replaced() {
        let home = ("HOME", "/home/a");
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "~/x")]), Path::new("/home/a/x"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "~b/x")]), Path::new("~b/x"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "$HOME/x")]), Path::new("/home/a/x"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "/a/${HOME}b/$HOME")]), Path::new("/a//home/ab//home/a"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "/$NONE/${NO}/$")]), Path::new("/$NONE/${NO}/$"));
    }

    #[test]
    fn switches_and_endpoint() {
        let base = ("HOME", "/nowhere");
        for (value, offline) in [("1", true), ("true", true), ("Yes", true), ("ON", true), ("0", false)] {
            assert_eq!(settings(&[base, ("HF_HUB_OFFLINE", value)]).unwrap().offline, offline, "{value}");
            assert_eq!(
                settings(&[base, ("TRANSFORMERS_OFFLINE", value)]).unwrap().offline,
                offline,
                "{value}"
            );
        }
        let both = [base, ("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
        assert!(!settings(&both).unwrap().offline, "HF_HUB_OFFLINE takes precedence");
        assert_eq!(settings(&[base]).unwrap().endpoint, "https://huggingface.co");
        assert_eq!(settings(&[base, ("HF_ENDPOINT", "http://a:1/")]).unwrap().endpoint, "http://a:1");
    }

    #[test]
    fn the_token_comes_from_variable_or_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = ("HF_HOME", folder.path().to_str().unwrap());
        assert_eq!(settings(&[home]).unwrap().token, None);
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        assert_eq!(settings(&[home]).unwrap().token.as_deref(), Some("hf_file"));
        let variable = [home, ("HF_TOKEN", " hf_variable\n")];
        let read = settings(&variable).unwrap();
        assert_eq!(read.token.as_deref(), Some("hf_variable"));
        assert!(!format!("{read:?}").contains("hf_variable"));
        let other = folder.path().join("other");
        std::fs::write(&other, "hf_other").unwrap();
        let path = [home, ("HF_TOKEN_PATH", other.to_str().unwrap())];
        assert_eq!(settings(&path).unwrap().token.as_deref(), Some("hf_other"));
        let none = [home, ("HF_TOKEN", "hf_x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")];
        assert_eq!(settings(&none).unwrap().token, None);
        let folder = [home, ("HF_TOKEN_PATH", home.1)];
        assert!(matches!(settings(&folder), Err(Error::File { .. })), "a folder is not a token file");
    }
}
