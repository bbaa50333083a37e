//! Calls of many handlers, answered together: whatever is asked while an answer is under way goes into the next one. So
//! a busy worker asks the database once for all of them, and an idle one at once.

use std::sync::Arc;

use futures::future::BoxFuture;
use sea_orm::DbErr;
use tokio::sync::{mpsc, oneshot};
use usher_shared::foundation::{
    db,
    trace::{self, Span, Trace},
};

use crate::keep::CALL_LIMIT;

/// Calls in one answer at most.
const MOST: usize = 256;

/// Cheap to clone; ends with its last clone.
pub(crate) struct Together<Q, A> {
    calls: mpsc::Sender<Call<Q, A>>,
}

impl<Q, A> Clone for Together<Q, A> {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
        }
    }
}

struct Call<Q, A> {
    question: Q,
    trace: Option<Trace>,
    answer: oneshot::Sender<Result<A, DbErr>>,
}

/// Answers questions in their order.
type Answer<Q, A> = Arc<dyn Fn(Arc<[Q]>) -> BoxFuture<'static, Result<Vec<A>, DbErr>> + Send + Sync>;

impl<Q: Clone + Send + Sync + 'static, A: Send + 'static> Together<Q, A> {
    /// Starts the task that answers; needs a Tokio runtime.
    pub(crate) fn new<F, R>(answer: F) -> Self
    where
        F: Fn(Arc<[Q]>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<A>, DbErr>> + Send + 'static,
    {
        let (calls, queue) = mpsc::channel(MOST);
        tokio::spawn(serve(queue, Arc::new(move |questions| Box::pin(answer(questions)))));
        Self { calls }
    }

    pub(crate) async fn ask(&self, question: Q) -> Result<A, DbErr> {
        let (answer, answered) = oneshot::channel();
        let gone = || DbErr::Custom("the task that answers has ended".to_owned());
        let trace = Trace::exported();
        let call = Call {
            question,
            trace,
            answer,
        };
        self.calls.send(call).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn serve<Q: Clone + Send + Sync, A: Send>(mut queue: mpsc::Receiver<Call<Q, A>>, answer: Answer<Q, A>) {
    let mut calls = Vec::with_capacity(MOST);
    while queue.recv_many(&mut calls, MOST).await > 0 {
        let questions: Arc<[Q]> = calls.iter().map(|call| call.question.clone()).collect();
        let span = Span::batch(calls.iter().map(|call| call.trace));
        match trace::during(span, db::within(CALL_LIMIT, answer(questions))).await {
            Ok(answers) => {
                for (call, one) in calls.drain(..).zip(answers) {
                    // Nobody waits any more: the handler was stopped.
                    drop(call.answer.send(Ok(one)));
                }
            }
            Err(error) if calls.len() == 1 || db::is_outage(&error) => {
                for call in calls.drain(..) {
                    drop(call.answer.send(Err(error.clone())));
                }
            }
            // What is wrong with one of them is not the others' fault.
            Err(_) => {
                for call in calls.drain(..) {
                    let alone = db::within(CALL_LIMIT, answer(Arc::new([call.question])));
                    let alone = trace::during(Span::batch([call.trace]), alone).await;
                    let one = alone.and_then(|mut answers| answers.pop().ok_or_else(|| DbErr::Custom(NONE.to_owned())));
                    drop(call.answer.send(one));
                }
            }
        }
    }
}

const NONE: &str = "there was no answer";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_gets_its_own_answer_and_one_that_cannot_be_answered_spoils_no_other() {
        let doubles = Together::new(async |numbers: Arc<[i32]>| {
            tokio::task::yield_now().await;
            if numbers.contains(&3) {
                return Err(DbErr::Custom("three".to_owned()));
            }
            let double = |number: &i32| number.checked_mul(2).expect("a number that can be doubled");
            Ok(numbers.iter().map(double).collect::<Vec<_>>())
        });
        // One that panics spoils no other either, and ends nothing.
        assert!(doubles.ask(i32::MAX).await.is_err());
        let answers = futures::future::join_all((0..6).map(|number| doubles.ask(number))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::ok).collect();
        assert_eq!(answers, [Some(0), Some(2), Some(4), None, Some(8), Some(10)]);
    }
}
