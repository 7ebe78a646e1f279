const show = button => {
  const section = button.closest('section');
  const source = section.querySelector('.source');
  for (const old of section.querySelectorAll('.on')) old.classList.remove('on');
  for (const old of source.querySelectorAll('[style]')) {
    old.removeAttribute('style');
    old.classList.remove('same');
  }
  button.classList.add('on');
  source.classList.toggle('written', button.classList.contains('written'));
  source.classList.toggle('copied', !button.classList.contains('written'));
  section.querySelector('output').textContent = button.title;
  let best = null, most = 0;
  for (const pair of button.dataset.w.split(' ').filter(Boolean)) {
    const [place, weight] = pair.split(':').map(Number);
    const token = source.children[place];
    token.style.setProperty('--w', weight);
    const same = token.textContent === button.dataset.t;
    token.classList.toggle('same', same);
    if (weight + 100 * same > most) [best, most] = [token, weight + 100 * same];
  }
  if (!best) return;
  const top = best.offsetTop - source.scrollTop;
  if (top < 0 || top + best.offsetHeight > source.clientHeight)
    source.scrollTop = best.offsetTop - source.clientHeight / 2;
};
const act = event => {
  const button = event.target.closest && event.target.closest('[data-w]');
  if (button) show(button);
};
document.addEventListener('click', act);
document.addEventListener('focusin', act);
document.addEventListener('pointerover', event => {
  if (event.pointerType === 'mouse') act(event);
});
