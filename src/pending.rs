pub mod api {
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;
    use usher_shared::{AppContext, foundation::process::BindError};
    #[derive(Default)]
    pub struct Extension;
    impl Extension {
        pub fn merge(self, _: Self) -> Self { self }
        pub fn check(&self) -> Result<(), String> { Ok(()) }
    }
    pub fn openapi_of(_: &Extension) -> utoipa::openapi::OpenApi { usher_api::openapi() }
    pub async fn run(app: &AppContext, _: Extension, stop: CancellationToken) -> Result<(), BindError> { usher_api::run(app, stop).await }
    pub async fn serve(app: &AppContext, _: Extension, l: TcpListener, stop: CancellationToken) { usher_api::serve(app, l, stop).await }
}
pub mod admin {
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;
    use usher_shared::{AppContext, foundation::process::BindError};
    #[derive(Default)]
    pub struct Extension;
    impl Extension {
        pub fn merge(self, _: Self) -> Self { self }
        pub fn check(&self) -> Result<(), String> { Ok(()) }
    }
    pub async fn run(app: &AppContext, _: Extension, stop: CancellationToken) -> Result<(), BindError> { usher_admin::run(app, stop).await }
    pub async fn serve(app: &AppContext, _: Extension, l: TcpListener, stop: CancellationToken) { usher_admin::serve(app, l, stop).await }
}
