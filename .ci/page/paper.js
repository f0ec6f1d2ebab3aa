// Runs in a page that is shown as on paper; answers with what a reader would see too early, or not at all.
() => {
  const wrong = [], main = document.querySelector('main');
  document.querySelectorAll('details').forEach(folded => folded.open = true);
  const seen = element => element.getClientRects().length > 0;
  for (const early of main.querySelectorAll('.answer > :not(summary), .happened, .hint, .solution'))
    if (seen(early)) wrong.push(`on paper, right under its question: ${early.textContent.trim().slice(0, 60)}`);
  for (const choice of main.querySelectorAll('.answer > summary'))
    if (!seen(choice)) wrong.push(`not on paper: ${choice.textContent.trim().slice(0, 60)}`);
  const questions = main.querySelectorAll('.quiz, .predict');
  const answers = [...main.querySelectorAll('.answers')];
  const told = answers.flatMap(section => [...section.querySelectorAll(':scope > p > strong:first-child')])
    .filter(number => /^\d+\.$/.test(number.textContent) && seen(number)).length;
  if (told !== questions.length) wrong.push(`on paper, ${questions.length} questions and ${told} answers`);
  for (const code of main.querySelectorAll('.exercise pre code')) {
    const height = code.clientHeight;
    code.style.cssText = 'white-space: pre; overflow: hidden';
    if (height > code.clientHeight) wrong.push(`on paper, a line of code wraps: ${code.textContent.slice(0, 80)}`);
    code.style.cssText = '';
  }
  for (const table of main.querySelectorAll('table')) {
    const cut = table.getBoundingClientRect().right - window.innerWidth;
    if (cut > 1) wrong.push(`on paper, ${Math.round(cut)} px of a table are cut off: ${table.textContent.trim().replace(/\s+/g, ' ').slice(0, 60)}`);
  }
  // Behind a chapter's answers comes a new page, or nothing.
  for (const section of answers)
    if (section.nextElementSibling && getComputedStyle(section.nextElementSibling).breakBefore !== 'page')
      wrong.push(`on paper, something stands behind the answers: ${section.nextElementSibling.textContent.trim().slice(0, 60)}`);
  return wrong;
}
