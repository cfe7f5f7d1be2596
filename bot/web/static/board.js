// What is left to write, told while writing. The page does without.
for (const form of document.querySelectorAll("form[data-limit]")) {
  const limit = Number(form.dataset.limit);
  const text = form.querySelector("textarea");
  const count = form.querySelector(".count");
  const tell = () => {
    const left = limit - [...text.value].length;
    count.textContent = (left < 0 ? count.dataset.over : count.dataset.left)
      .replace("{n}", Math.abs(left).toLocaleString("en"));
    count.classList.toggle("over", left < 0);
    count.classList.toggle("near", left >= 0 && left < limit * 0.15);
    count.hidden = false;
  };
  text.addEventListener("input", tell);
  if (text.value) tell();
}
const problem = document.getElementById("problem");
if (problem) problem.focus();
