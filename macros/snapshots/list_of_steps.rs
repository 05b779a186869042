#[derive(Workflow)]
#[workflow(namespace = "reports", version = "1.0.0", context = Window,
    steps(fetch_1 = Fetch { shard: 1 }, fetch_2 = Fetch { shard: 2 }, Join, Notify after(Join, fetch_1)))]
pub struct Shards;
