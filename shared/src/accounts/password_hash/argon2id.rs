//! Argon2id (RFC 9106) in PHC form. Working memory is allocated for each hash and freed after it.

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, Salt},
    },
};

/// In blocks: 32 MiB and one more, of which only used blocks take memory. glibc's allocator, which other programs that
/// use this crate may have, keeps freed allocations of up to 32 MiB in the thread's heap: 19 MiB for each thread that
/// ever hashed. Larger ones are mapped and unmapped (mallopt(3), `M_MMAP_THRESHOLD`).
const ALWAYS_MAPPED: usize = (32 << 20) / Block::SIZE + 1;

/// A new hash with OWASP's parameters (19 MiB, 2 passes, 1 lane) and a random salt.
pub(super) fn hash(password: &[u8]) -> password_hash::Result<String> {
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
    let salt = Salt::generate();
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(salt),
        hash: Some(output(&Argon2::new(algorithm, version, params), password, &salt)?),
    };
    Ok(hash.to_string())
}

/// Whether the stored hash, with its own parameters, is this password's; compared in constant time.
pub(super) fn verify(password: &[u8], stored: &str) -> password_hash::Result<bool> {
    let stored = PasswordHash::new(stored)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Ok(false);
    };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let version = stored.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored)?);
    Ok(output(&argon2, password, salt)? == *expected)
}

/// Whether the stored hash has the parameters of [`hash`].
pub(super) fn is_current(stored: &str) -> bool {
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    PasswordHash::new(stored).is_ok_and(|stored| {
        stored.algorithm == Algorithm::default().ident()
            && Params::try_from(&stored).is_ok_and(|params| costs(&params) == costs(&Params::default()))
    })
}

fn output(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> password_hash::Result<Output> {
    let params = argon2.params();
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(ALWAYS_MAPPED));
    memory.resize(blocks, Block::new());
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = buffer.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    argon2.hash_password_into_with_memory(password, salt, output, &mut memory)?;
    Ok(Output::new(output)?)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    const PASSWORD: &[u8] = b"velvet otter canyon 72";

    #[test]
    fn its_hashes_are_those_of_the_standard_implementation() {
        let ours = hash(PASSWORD).unwrap();
        assert!(is_current(&ours));
        assert!(Argon2::default().verify_password(PASSWORD, ours.as_str()).is_ok());
        assert!(Argon2::default().verify_password(b"another", ours.as_str()).is_err());

        let theirs = Argon2::default().hash_password(PASSWORD).unwrap().to_string();
        assert!(verify(PASSWORD, &theirs).unwrap());
        assert!(!verify(b"another", &theirs).unwrap());
    }

    #[test]
    fn hashes_of_other_parameters_are_verified_and_not_current() {
        let other = Argon2::new(
            Algorithm::Argon2i,
            Version::V0x10,
            Params::new(64, 1, 2, Some(24)).unwrap(),
        );
        let stored = other.hash_password(PASSWORD).unwrap().to_string();
        assert!(verify(PASSWORD, &stored).unwrap());
        assert!(!verify(b"another", &stored).unwrap());
        assert!(!is_current(&stored));
    }

    #[test]
    fn what_is_no_hash_is_an_error() {
        assert!(verify(PASSWORD, "no hash").is_err());
        assert!(!verify(PASSWORD, "$argon2id$v=19$m=19456,t=2,p=1").unwrap());
    }
}
