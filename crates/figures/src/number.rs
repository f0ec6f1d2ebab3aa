/// A plain number that a figure can show: what a tensor's `to_vec1` gives, or a literal.
pub trait Number: Copy {
    /// The number as an `f64`; `true` is 1.
    fn to_f64(self) -> f64;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

number!(f32, f64, i32, i64, u8, u32, u64, usize);

impl Number for bool {
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}
