//! The source of the library as a graph: which file names things of which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path, segment by segment: `["store", "Blobs"]`. Of a module, without `crate`.
pub type Segments = Vec<String>;

/// The library's files and the order of its modules.
pub struct Library {
    pub files: Vec<Source>,
    /// The modules of lib.rs from top to bottom.
    pub order: Vec<String>,
}

/// A file below `src/`.
#[derive(Default)]
pub struct Source {
    /// Relative to `src/`: `store/mod.rs`.
    pub name: String,
    /// Its path as a module: `["store"]`.
    pub module: Segments,
    /// Every path and name outside its tests, as it is written.
    pub paths: Vec<Segments>,
    /// Every text and number outside its tests.
    pub literals: Vec<String>,
    children: Vec<String>,
    children_for_tests: Vec<String>,
    /// The names that `use` gives to things, and whether others may use that name too.
    imports: Vec<(String, Segments, bool)>,
}

impl Library {
    /// Reads all of `src/` but what only tests use.
    pub fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files: Vec<Source> =
            files_below(&src, "rs").iter().map(|path| Source::read(&src, path)).collect();
        let for_tests: BTreeSet<Segments> = files
            .iter()
            .flat_map(|file| file.children_for_tests.iter().map(|name| child(&file.module, name)))
            .collect();
        let is_for_tests = |file: &Source| for_tests.iter().any(|module| file.module.starts_with(module));
        let order = files.iter().find(|file| file.name == "lib.rs").unwrap().children.clone();
        Self { files: files.into_iter().filter(|file| !is_for_tests(file)).collect(), order }
    }

    /// For each file the files that it names things of.
    pub fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let modules: BTreeMap<&[String], &Source> =
            self.files.iter().map(|file| (file.module.as_slice(), file)).collect();
        let used = |file: &Source| {
            let whole = file.paths.iter().filter_map(|path| file.resolve(path));
            let mut used: BTreeSet<&str> = whole.map(|path| definition(&path, &modules)).collect();
            used.remove(file.name.as_str());
            used
        };
        self.files.iter().map(|file| (file.name.as_str(), used(file))).collect()
    }
}

/// The file that defines what `path` names: the deepest module on it, or where that has it from.
fn definition<'a>(path: &[String], modules: &BTreeMap<&[String], &'a Source>) -> &'a str {
    let depth = (0..=path.len()).rev().find(|depth| modules.contains_key(&path[..*depth])).unwrap();
    let file = modules[&path[..depth]];
    let exported = file.imports.iter().find(|(name, _, public)| *public && path.get(depth) == Some(name));
    match exported.and_then(|(_, origin, _)| file.resolve(origin)) {
        Some(origin) if origin != path => definition(&origin, modules),
        _ => &file.name,
    }
}

impl Source {
    fn read(src: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
        let stem = name.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
        let module = stem.split('/').filter(|part| *part != "lib").map(str::to_owned).collect();
        let mut source = Self { name, module, ..Self::default() };
        let code: TokenStream = fs::read_to_string(path).unwrap().parse().unwrap();
        source.walk(&code.into_iter().collect::<Vec<_>>());
        source
    }

    fn walk(&mut self, mut rest: &[TokenTree]) {
        let mut public = false;
        while let Some(token) = rest.first() {
            let word = token.to_string();
            match (token, rest.get(1)) {
                (TokenTree::Punct(_), Some(TokenTree::Group(attribute))) if word == "#" => {
                    let is_test = attribute.to_string() == "[cfg (test)]";
                    rest = if is_test { self.skip_item(&rest[2..]) } else { &rest[2..] };
                    continue;
                }
                (TokenTree::Ident(_), Some(TokenTree::Ident(name))) if word == "mod" => {
                    self.children.push(name.to_string());
                }
                (TokenTree::Ident(_), Some(TokenTree::Ident(_))) if word == "use" => {
                    let end = rest.iter().position(|token| token.to_string() == ";").unwrap();
                    self.import(&rest[1..end], &[], public);
                    rest = &rest[end..];
                    continue;
                }
                (TokenTree::Group(visibility), _) if visibility.to_string().starts_with("(in ") => {}
                (TokenTree::Group(group), _) => self.walk(&group.stream().into_iter().collect::<Vec<_>>()),
                (TokenTree::Ident(_), _) => {
                    let path = path_at(rest);
                    rest = &rest[3 * (path.len() - 1)..];
                    self.paths.push(path);
                }
                (TokenTree::Literal(_), _) => self.literals.push(word.clone()),
                _ => {}
            }
            let is_scope =
                matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
            public = word == "pub" || (public && is_scope);
            rest = &rest[1..];
        }
    }

    /// Notes what the tree of a `use` imports: `a::{b, c as d}`.
    fn import(&mut self, tree: &[TokenTree], above: &[String], public: bool) {
        for branch in tree.split(|token| token.to_string() == ",").filter(|branch| !branch.is_empty()) {
            let words: Vec<String> =
                branch.iter().map(ToString::to_string).filter(|word| word != ":" && word != "*").collect();
            match branch.last() {
                Some(TokenTree::Group(group)) => {
                    let above = [above, &words[..words.len() - 1]].concat();
                    self.import(&group.stream().into_iter().collect::<Vec<_>>(), &above, public);
                }
                _ => {
                    let is_renamed = words.len() > 2 && words[words.len() - 2] == "as";
                    let end = if is_renamed { words.len() - 2 } else { words.len() };
                    let mut path = [above, &words[..end]].concat();
                    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    let name = words.last().filter(|_| is_renamed).or(path.last()).unwrap().clone();
                    self.paths.push(path.clone());
                    self.imports.push((name, path, public));
                }
            }
        }
    }

    /// What follows the item that `rest` begins with.
    fn skip_item<'a>(&mut self, rest: &'a [TokenTree]) -> &'a [TokenTree] {
        let is_end = |token: &TokenTree| {
            token.to_string() == ";"
                || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
        };
        let end = rest.iter().position(is_end).unwrap();
        if rest[end].to_string() == ";" && rest[end - 2].to_string() == "mod" {
            self.children_for_tests.push(rest[end - 1].to_string());
        }
        &rest[end + 1..]
    }

    /// `path` as it is from the root of the library; nothing if it leads into another one.
    fn resolve(&self, path: &[String]) -> Option<Segments> {
        let first = path.first()?;
        let mut whole = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len() - 1].to_vec(),
            name if self.children.contains(first) => child(&self.module, name),
            name => {
                let (_, path, _) =
                    self.imports.iter().find(|(import, path, _)| import == name && path[0] != name)?;
                self.resolve(path)?
            }
        };
        for segment in &path[1..] {
            match segment.as_str() {
                "super" => drop(whole.pop()),
                name => whole.push(name.to_owned()),
            }
        }
        Some(whole)
    }
}

/// The path that `tokens` begin with: `a::b`.
fn path_at(tokens: &[TokenTree]) -> Segments {
    let mut path = vec![tokens[0].to_string()];
    for next in tokens[1..].chunks(3) {
        match next {
            [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(name)]
                if one.as_char() == ':' && two.as_char() == ':' =>
            {
                path.push(name.to_string());
            }
            _ => break,
        }
    }
    path
}

fn child(module: &[String], name: &str) -> Segments {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Every file below `folder` whose name ends with `.` and `extension`, by name.
pub fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
