# Only whether a guest starts.
echo started
