// Served pages ask whether they were built again; the answer comes when they were.
(async () => {
  for (let seen = null; ;) {
    try {
      const answer = await fetch(`/__changes?since=${seen ?? ''}`, { cache: 'no-store' });
      const now = await answer.text();
      if (seen !== null && now !== seen) return location.reload();
      seen = now;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 1000)); // the server is gone, or starting again
    }
  }
})();
