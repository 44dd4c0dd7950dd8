use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::{LENGTH, State, Vigil};

async fn end(vigil: &mut Vigil) {
    let over = poll_fn(|context| {
        vigil.poll(context);
        if vigil.state == State::Over { Poll::Ready(()) } else { Poll::Pending }
    });
    timeout(Duration::from_secs(10), over).await.expect("an end");
}

#[tokio::test]
async fn vigil_lasts_as_long_as_something_is_asked() {
    let mut vigil = Vigil::new();
    end(&mut vigil).await;
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        vigil.keep();
        end(&mut vigil).await;
        assert!(begun.elapsed() >= LENGTH);
        // Asked again, it begins anew when it would end.
        let begun = std::time::Instant::now();
        vigil.keep();
        vigil.keep();
        end(&mut vigil).await;
        assert!(begun.elapsed() >= LENGTH * 2);
    }
}
