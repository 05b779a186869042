#[automatically_derived]
impl ::tasker::__private::Fail for PaymentError {
    fn fail(self) -> ::tasker::__private::StepError {
        match &self {
            Self::Declined { .. } => ::tasker::__private::StepError::permanent(self).code("DECLINED"),
            Self::Throttled { seconds, .. } => {
                let wait = ::std::time::Duration::from_secs(
                    ::core::convert::Into::<::core::primitive::u64>::into(*seconds),
                );
                ::tasker::__private::StepError::retry_after(wait, self)
            }
            .code("PAYMENT"),
            Self::Network { .. } => ::tasker::__private::StepError::from(self).code("PAYMENT"),
        }
    }
}
