/// Opens an article to everybody. Safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishArticle {
    pub article_id: i64,
}

impl Job for PublishArticle {
    const KIND: &'static str = "publish_article";
}
