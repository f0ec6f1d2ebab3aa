//! A training on disk: weights, optimizer and how it went, in one safetensors file.

use super::{
    adam::Moments, files, history::History, settings::Settings, variables::Named,
};
use crate::reason::reason;
use candle_core::{DType, Device, Error, Result, bail, safetensors::Load};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The version of the format that this program writes and reads.
const VERSION: u32 = 2;
/// Where the file's metadata says what it is.
const KEY: &str = "training";
/// Where it has the checksum of that, and of the bytes of all tensors in the order of their names.
const CHECKSUM: &str = "crc32";

/// How many bytes of a file tell whether it is one of safetensors.
const HEADER: usize = 9;

/// All that is needed to go on with a training.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What the training was asked to do.
    pub settings: Settings,
    /// Steps taken.
    pub step: usize,
    /// How it went so far.
    pub history: History,
    /// The weights.
    pub variables: Named,
    /// Adam's running means.
    pub moments: BTreeMap<String, Moments>,
}

/// What the file says of itself, as JSON.
#[derive(Serialize, Deserialize)]
struct About {
    version: u32,
    step: usize,
    tokens: u64,
    seconds: f64,
    settings: serde_json::Value,
}

impl Checkpoint {
    /// Writes the file at `path`, with its folder.
    ///
    /// Everything goes into a temporary file in the same folder first, and takes the name `path` when it is complete
    /// on disk: whatever happens, `path` is the old checkpoint or the new one.
    pub fn save(&self, path: &Path) -> Result<()> {
        let write = |bytes: Vec<u8>| files::replace(path, &bytes);
        write(self.to_bytes()?).map_err(|error| unwritable(path, &error))
    }

    /// As [`save`](Self::save), when `path` may hold another training: a file that is there is kept as
    /// `NAME.backup-1.safetensors`, or with the next number that is free. Returns that path.
    pub fn save_beside(&self, path: &Path) -> Result<Option<PathBuf>> {
        let write = |bytes: Vec<u8>| files::replace_keeping(path, &bytes);
        write(self.to_bytes()?).map_err(|error| unwritable(path, &error))
    }

    /// An error when no checkpoint can be written at `path`; makes its folder, and leaves what is there as it is.
    ///
    /// A file that is neither empty nor of safetensors is not written over: it is somebody's, and no checkpoint.
    pub fn probe(path: &Path) -> Result<()> {
        files::probe(path).map_err(|error| unwritable(path, &error))?;
        match files::start(path, HEADER) {
            // Behind eight bytes with its length stands a header in JSON.
            Ok(start) if start.len() == HEADER && start[HEADER - 1] != b'{' => {
                Err(Error::Msg(format!(
                    "`{}` is no checkpoint, and is left as it is",
                    path.display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Reads the file at `path`. Errors with the reason when it is not a whole checkpoint of this version.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| {
            Error::Msg(match error.kind() {
                ErrorKind::NotFound => {
                    format!("there is no checkpoint `{}`", path.display())
                }
                _ => format!("can't read the checkpoint `{}`: {error}", path.display()),
            })
        })?;
        Self::from_bytes(&bytes).map_err(|reason| {
            Error::Msg(format!(
                "the checkpoint `{}` can't be used: {reason}",
                path.display()
            ))
        })
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &self.variables {
            let numbers = tensor.flatten_all()?.to_vec1()?;
            tensors.insert(format!("model.{name}"), Raw::new(tensor.dims(), &numbers));
        }
        for (name, Moments { first, second }) in &self.moments {
            tensors
                .insert(format!("adam.first.{name}"), Raw::new(&[first.len()], first));
            tensors.insert(
                format!("adam.second.{name}"),
                Raw::new(&[second.len()], second),
            );
        }
        let History { losses, accuracies, tokens, seconds } = &self.history;
        tensors.insert("history.losses".into(), Raw::new(&[losses.len()], losses));
        tensors.insert(
            "history.accuracies".into(),
            Raw::new(&[accuracies.len()], accuracies),
        );
        let about = About {
            version: VERSION,
            step: self.step,
            tokens: *tokens,
            seconds: *seconds,
            settings: serde_json::to_value(&self.settings).map_err(Error::wrap)?,
        };
        let about = serde_json::to_string(&about).map_err(Error::wrap)?;
        let views = tensors.iter().map(|(name, tensor)| Ok((name, tensor.view()?)));
        let views = views.collect::<Result<Vec<_>>>()?;
        let sum = crc32(&about, tensors.values().map(|tensor| &tensor.bytes[..]));
        let metadata = HashMap::from([
            (KEY.to_owned(), about),
            (CHECKSUM.to_owned(), sum.to_string()),
        ]);
        safetensors::serialize(views, Some(metadata)).map_err(Error::wrap)
    }

    fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let damaged = |error: &dyn std::fmt::Display| {
            format!("it is damaged, or no safetensors file at all ({error})")
        };
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
        let said =
            |key| metadata.metadata().as_ref().and_then(|metadata| metadata.get(key));
        let about = said(KEY)
            .ok_or("it is a safetensors file, but no checkpoint of a training")?;
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } =
            serde_json::from_str(about).map_err(|e| damaged(&e))?;
        if version != VERSION {
            return Err(format!(
                "its format is version {version}, and this program reads version {VERSION}"
            ));
        }
        let tensors: BTreeMap<_, _> = file.tensors().into_iter().collect();
        let sum = crc32(about, tensors.values().map(TensorView::data));
        if said(CHECKSUM).is_none_or(|saved| *saved != sum.to_string()) {
            return Err(damaged(&"it is not what was saved"));
        }
        let about: About = serde_json::from_str(about).map_err(|e| damaged(&e))?;
        let settings: Settings =
            serde_json::from_value(about.settings).map_err(|error| {
                format!("its settings are not those of this program ({error})")
            })?;
        let mut checkpoint = Self {
            settings,
            step: about.step,
            history: History {
                tokens: about.tokens,
                seconds: about.seconds,
                ..History::default()
            },
            variables: Named::new(),
            moments: BTreeMap::new(),
        };
        for (name, view) in &tensors {
            checkpoint.take(name, view).map_err(|error| damaged(&reason(&error)))?;
        }
        let History { losses, accuracies, .. } = &checkpoint.history;
        if [losses.len(), accuracies.len()] != [checkpoint.step; 2] {
            return Err(damaged(&"it does not hold one loss for each step"));
        }
        Ok(checkpoint)
    }

    /// Puts a tensor of the file where it belongs.
    fn take(&mut self, name: &str, view: &TensorView) -> Result<()> {
        let tensor = view.load(&Device::Cpu)?;
        if tensor.dtype() != DType::F32 {
            bail!("{name}: expected numbers of type f32; got {:?}", tensor.dtype());
        }
        let numbers = || tensor.flatten_all()?.to_vec1::<f32>();
        match name.split_once('.') {
            Some(("model", name)) => {
                self.variables.insert(name.to_owned(), tensor);
            }
            Some(("history", "losses")) => self.history.losses = numbers()?,
            Some(("history", "accuracies")) => self.history.accuracies = numbers()?,
            Some(("adam", rest)) => match rest.split_once('.') {
                Some(("first", name)) => self.moment(name).first = numbers()?,
                Some(("second", name)) => self.moment(name).second = numbers()?,
                _ => bail!("{name}: an unknown tensor"),
            },
            _ => bail!("{name}: an unknown tensor"),
        }
        Ok(())
    }

    fn moment(&mut self, name: &str) -> &mut Moments {
        self.moments.entry(name.to_owned()).or_default()
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::Msg(format!("can't write the checkpoint `{}`: {error}", path.display()))
}

/// A tensor as bytes.
struct Raw {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Raw {
    fn new(shape: &[usize], numbers: &[f32]) -> Self {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self { shape: shape.to_vec(), bytes }
    }

    fn view(&self) -> Result<TensorView<'_>> {
        TensorView::new(Dtype::F32, self.shape.clone(), &self.bytes)
            .map_err(Error::wrap)
    }
}

fn crc32<'a>(about: &str, parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(about.as_bytes());
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}
