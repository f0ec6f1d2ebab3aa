// A served page asks for news; the answer comes when the pages were built again, or when another server took over.
(async () => {
  for (let seen = null; ;) {
    try {
      const answer = await fetch(`/__news?since=${seen ?? ''}`, { cache: 'no-store' });
      const now = await answer.text();
      if (seen !== null && now !== seen) return location.reload();
      seen = now;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 500)); // the server is gone, or another one is starting
    }
  }
})();
