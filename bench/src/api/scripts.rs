//! What is asked, as wrk's Lua, and the same work for the database alone, as pgbench's SQL.

use super::server::Server;
use crate::programs::{EMAIL, PASSWORD};

#[derive(Clone, Copy)]
pub enum Operation {
    Get,
    ConditionalGet,
    List,
    DeepList,
    Search,
    WrongInput,
    Create,
    Refresh,
    LogIn,
}

impl Operation {
    /// What changes the table comes last.
    pub const ALL: [Self; 9] = [
        Self::Get,
        Self::ConditionalGet,
        Self::List,
        Self::DeepList,
        Self::Search,
        Self::WrongInput,
        Self::LogIn,
        Self::Refresh,
        Self::Create,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get by id",
            Self::ConditionalGet => "conditional get",
            Self::List => "list of 50",
            Self::DeepList => "its deepest page",
            Self::Search => "search by words",
            Self::WrongInput => "wrong input",
            Self::LogIn => "log-in",
            Self::Refresh => "refresh",
            Self::Create => "create",
        }
    }

    /// Whether more connections than the goals' say anything new.
    pub fn is_cheap(self) -> bool {
        !matches!(self, Self::LogIn | Self::Refresh | Self::Search)
    }

    /// Whether every answer is an error, on purpose.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::WrongInput)
    }

    pub fn script(self, server: &Server) -> String {
        let (key, users) = (&server.key, server.users);
        let bearer =
            format!("local H = {{['Authorization'] = 'Bearer {key}', ['Content-Type'] = 'application/json'}}\n");
        let body = match self {
            Self::Get => {
                format!("request = function() return wrk.format('GET', '/users/'..math.random(2, {users}), H) end")
            }
            Self::ConditionalGet => "H['If-None-Match'] = '\"1\"'\n\
                request = function() return wrk.format('GET', '/users/2', H) end"
                .to_owned(),
            Self::List => "request = function() return wrk.format('GET', '/users?limit=50', H) end".to_owned(),
            Self::DeepList => {
                let cursor = &server.deepest;
                format!("request = function() return wrk.format('GET', '/users?limit=50&cursor={cursor}', H) end")
            }
            Self::Search => "local W = {'ada', 'turing', 'hopper', 'love', 'elena'}\n\
                request = function() return wrk.format('GET', '/users?q='..W[math.random(#W)], H) end"
                .to_owned(),
            Self::WrongInput => {
                "request = function() return wrk.format('POST', '/users', H, '{\"age\":-1}') end".to_owned()
            }
            Self::Create => "local run, n = os.time() * 1000 + math.random(1000), 0\n\
                request = function() n = n + 1\n\
                return wrk.format('POST', '/users', H,\n\
                '{\"name\":\"Ada Lovelace\",\"age\":36,\"email\":\"a'..run..'.'..n..'@example.com\"}') end"
                .to_owned(),
            Self::LogIn => format!(
                "request = function() return wrk.format('POST', '/auth/login', H,\n\
                '{{\"email\":\"{EMAIL}\",\"password\":\"{PASSWORD}\"}}') end"
            ),
            // Each answer's token is the next one's to show. There are as many sessions as connections.
            Self::Refresh => {
                let tokens = server.refresh_tokens.join("','");
                format!(
                    "local T = {{'{tokens}'}}\n\
                    request = function() return wrk.format('POST', '/auth/refresh', H,\n\
                    '{{\"refresh_token\":\"'..table.remove(T, 1)..'\"}}') end\n\
                    response = function(_, _, body) T[#T + 1] = body:match('urt_%w+_%w+') end"
                )
            }
        };
        format!("{bearer}{body}\n")
    }

    /// The statements that the answer takes, and the part of their rate that is the goal.
    pub fn limit(self, server: &Server) -> Option<(String, f64)> {
        let users = server.users;
        match self {
            Self::Get => Some((format!("\\set id random(2, {users})\n{KEY}{GET}"), 0.7)),
            Self::List => Some((format!("{KEY}{LIST}"), 0.65)),
            Self::Create => Some((format!("\\set r random(1, 1000000000000000)\n{KEY}{CREATE}"), 0.7)),
            _ => None,
        }
    }
}

/// The key that is shown, checked with each request.
const KEY: &str = "SELECT * FROM api_keys WHERE token_hash = (SELECT token_hash FROM api_keys WHERE id = 1);\n";
const GET: &str = "SELECT * FROM users WHERE id = :id AND deleted_at IS NULL;\n";
const LIST: &str = "SELECT id, name, email, email_key, created_at, age, status, email_verified_at, external_id, \
    updated_at FROM users WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51;\n";
const CREATE: &str = "BEGIN;\n\
    INSERT INTO users (email, email_key, name, search_text, age, status, version, created_at, updated_at) \
    VALUES ('p' || :r || '@example.com', 'p' || :r || '@example.com', 'Ada Lovelace', \
    ' ada lovelace' || chr(1) || ' p' || :r || '@example.com', 36, 'active', 1, now(), now()) RETURNING *;\n\
    INSERT INTO jobs (id, queue, kind, payload, run_at, next_dispatch_at, user_id, actor, created_at) \
    VALUES (gen_random_uuid(), 'mail', 'welcome_email', '{\"user_id\": 1}', now(), now(), 1, 'api_key:1', now());\n\
    INSERT INTO audit_log (at, actor_kind, actor_id, actor_label, action, object_type, object_id, object_label, \
    changes, address, request_id) VALUES (now(), 'api_key', 1, 'bench', 'create', 'user', '1', 'ada@example.com', \
    '{\"name\": [null, \"Ada Lovelace\"]}', '127.0.0.1', '019aaaaa-0000-7000-8000-000000000000');\n\
    COMMIT;\n";
