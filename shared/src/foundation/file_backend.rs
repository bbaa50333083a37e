//! Where the bytes of new files go.

use std::{
    io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path};
use tokio::fs;
use url::Url;
use uuid::Uuid;

/// Bytes of a part where files are in a folder.
const LOCAL_PART: usize = 256 * 1024;
/// The smallest part that S3 takes.
#[cfg(feature = "s3")]
const S3_PART: usize = 5 * 1024 * 1024;

/// Where the bytes of new files go.
#[derive(Clone, Debug, Default)]
pub enum Backend {
    /// Into the database, in chunks: nothing to set up, and one backup for all.
    #[default]
    Database,
    /// Into a folder or a bucket.
    Objects {
        store: Arc<dyn ObjectStore>,
        /// Under which all of them are.
        folder: Path,
        /// The folder on this machine, if it is one.
        local: Option<PathBuf>,
        /// Bytes that are buffered, and sent as a part of a larger file.
        part: usize,
    },
}

impl Backend {
    /// `database`, `file:///a/folder` or, if the program was built with the feature `s3`, `s3://bucket/folder`.
    /// Credentials, region and endpoint of S3 are read from the variables of AWS, such as `AWS_ACCESS_KEY_ID`.
    ///
    /// # Errors
    ///
    /// The end of a sentence that begins with the setting's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "database" {
            return Ok(Self::Database);
        }
        let url = Url::parse(text).map_err(|_| OTHER.to_owned())?;
        match url.scheme() {
            "file" if text.starts_with("file:///") && url.query().is_none() && url.fragment().is_none() => {
                Self::in_folder(&url)
            }
            "file" => Err("must be file:/// and an absolute path".to_owned()),
            "s3" => Self::in_bucket(&url),
            _ => Err(OTHER.to_owned()),
        }
    }

    /// Writes a few bytes where files go, and removes them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn probe(&self) -> Result<(), object_store::Error> {
        let Self::Objects { store, folder, .. } = self else {
            return Ok(());
        };
        self.prepare().await.map_err(|error| object_store::Error::Generic {
            store: "folder",
            source: Box::new(error),
        })?;
        let probe = folder.clone().join(Uuid::new_v4().to_string());
        store.put(&probe, "probe".into()).await?;
        store.delete(&probe).await
    }

    /// Creates the folder, for its owner only: what is in it comes from others.
    pub(super) async fn prepare(&self) -> io::Result<()> {
        match self {
            Self::Objects { local: Some(path), .. } => {
                let mut folder = fs::DirBuilder::new();
                folder.recursive(true).mode(0o700).create(path).await
            }
            Self::Objects { .. } | Self::Database => Ok(()),
        }
    }

    /// Removes what a process that died has left of a file in a folder: beside it, with a number.
    pub(super) async fn remove_parts(&self, id: Uuid) -> io::Result<()> {
        let Self::Objects { local: Some(path), .. } = self else {
            return Ok(());
        };
        let id = id.simple().to_string();
        let beginning = format!("{id}#");
        let mut entries = match fs::read_dir(path.join(&id[30..])).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            if entry.file_name().to_string_lossy().starts_with(&beginning) {
                fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }

    /// The folder is created with its first file.
    fn in_folder(url: &Url) -> Result<Self, String> {
        let path = url
            .to_file_path()
            .map_err(|()| "must name a folder of this machine".to_owned())?;
        if path == FilePath::new("/") {
            return Err("must name a folder, not the root of all".to_owned());
        }
        Ok(Self::Objects {
            // A file that was acknowledged survives a power failure.
            store: Arc::new(LocalFileSystem::new().with_fsync(true)),
            folder: Path::from_absolute_path(&path).map_err(|error| format!("can't be used: {error}"))?,
            local: Some(path),
            part: LOCAL_PART,
        })
    }

    #[cfg(feature = "s3")]
    fn in_bucket(url: &Url) -> Result<Self, String> {
        choose_cryptography();
        let bucket = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or("names no bucket")?;
        let store = object_store::aws::AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build();
        Ok(Self::Objects {
            store: Arc::new(store.map_err(|error| format!("can't be used: {error}"))?),
            folder: Path::from_url_path(url.path()).map_err(|error| format!("can't be used: {error}"))?,
            local: None,
            part: S3_PART,
        })
    }

    #[cfg(not(feature = "s3"))]
    fn in_bucket(_: &Url) -> Result<Self, String> {
        Err("is a bucket, and this program was built without it: enable the feature s3 of usher".to_owned())
    }
}

/// Makes ring the process's cryptography for TLS, as it is that of the database and of mail. The store sends by reqwest,
/// which with the feature `s3` has none of its own: a client that is made before this panics.
#[cfg(feature = "s3")]
pub fn choose_cryptography() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

const OTHER: &str = "is neither database nor the URL of a folder or bucket";

/// The file's place in the store. The last two digits of the id are random, so that no folder grows too large.
pub(super) fn path_of(folder: &Path, id: Uuid) -> Path {
    let id = id.simple().to_string();
    folder.clone().join(&id[30..]).join(id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused_with_what_to_do() {
        assert!(matches!(Backend::parse("database"), Ok(Backend::Database)));
        let Ok(Backend::Objects { folder, .. }) = Backend::parse("file:///srv/acme%20files/") else {
            panic!("a folder is a place");
        };
        assert_eq!(folder.as_ref(), "srv/acme files");
        for (text, expected) in [
            ("", OTHER),
            ("files", OTHER),
            ("ftp://example.org/files", OTHER),
            ("file://elsewhere/files", "must be file:/// and an absolute path"),
            ("file:files", "must be file:/// and an absolute path"),
            ("file:///files?x=1", "must be file:/// and an absolute path"),
            ("file:///", "must name a folder, not the root of all"),
        ] {
            assert_eq!(Backend::parse(text).err().as_deref(), Some(expected), "{text}");
        }
    }
}
