"""People with phones behind a telephone network that speaks as Twilio does."""
