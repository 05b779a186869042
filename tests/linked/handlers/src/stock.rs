mod deep {
    use tasker::prelude::*;

    #[step]
    async fn reserve() -> StepResult<bool> {
        Ok(true)
    }
}
