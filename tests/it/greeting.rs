//! What `usher up` prints on an empty database, as a person reads it.

pub struct Greeting {
    pub email: String,
    pub password: String,
    pub key: String,
    pub curl: Curl,
}

/// The printed `curl` line.
pub struct Curl {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Greeting {
    pub fn read(log: &str) -> Self {
        let line = |start: &str| {
            let found = log.lines().map(str::trim).find(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("no line `{start}…` is printed:\n{log}"))
        };
        let log_in: Vec<&str> = line("Admin sign-in").split_whitespace().collect();
        let key = line("API key").split_whitespace().last().expect("a key");
        Self {
            email: log_in[2].to_owned(),
            password: log_in[3].to_owned(),
            key: key.to_owned(),
            curl: Curl::read(line("curl")),
        }
    }
}

impl Curl {
    fn read(line: &str) -> Self {
        let (mut url, mut headers, mut body) = (String::new(), vec![], String::new());
        let mut words = shell_words(line).into_iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-H" => {
                    let header = words.next().expect("a header after -H");
                    let (name, value) = header.split_once(": ").expect("name: value");
                    headers.push((name.to_owned(), value.to_owned()));
                }
                "-d" => body = words.next().expect("a body after -d"),
                "-i" => {}
                _ => url = word,
            }
        }
        Self { url, headers, body }
    }

    /// Sends what `curl` would send.
    pub async fn send(&self) -> reqwest::Response {
        let mut request = reqwest::Client::new().post(&self.url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.send().await.expect("the API answers")
    }
}

/// Splits a command line at its spaces, but not inside of quotes.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            (Some(open), _) if open == letter => quote = None,
            _ => words.last_mut().expect("it starts with one").push(letter),
        }
    }
    words
}
