use redis::{AsyncCommands, RedisResult, aio::MultiplexedConnection};
use usher_testkit::{Redis, run};

async fn connect(redis: &Redis) -> RedisResult<MultiplexedConnection> {
    redis::Client::open(redis.url())?
        .get_multiplexed_async_connection()
        .await
}

#[test]
fn redis_stops_and_starts_again_empty_on_the_same_port() {
    run(async {
        let mut redis = Redis::start().await;
        let url = redis.url();
        let _: () = connect(&redis).await.unwrap().set("word", "kept").await.unwrap();

        redis.stop();
        assert!(connect(&redis).await.is_err());

        redis.start_again().await;
        assert_eq!(redis.url(), url);
        let word: Option<String> = connect(&redis).await.unwrap().get("word").await.unwrap();
        assert_eq!(word, None);
    });
}

#[test]
fn a_flushed_redis_is_empty_and_keeps_its_connections() {
    run(async {
        let redis = Redis::start().await;
        let mut connection = connect(&redis).await.unwrap();
        let _: () = connection.set("word", "kept").await.unwrap();
        redis.flush().await;
        let word: Option<String> = connection.get("word").await.unwrap();
        assert_eq!(word, None);
    });
}
