#[step(name = "fetch", timeout_seconds = 30, crate = company::workflows)]
impl<T: Payload> Fetch<T> {
    async fn process(&self, window: Context<T>, before: Option<Output<Self>>) -> Result<Page, FetchError> {
        self.get(window, before).await
    }
}
