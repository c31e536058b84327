"""Puts accents back into Spanish texts that lost them: the letters are missing, "gestión" stands there as "gestin".

A model that never saw an accent in Spanish takes Spanish that is rightly spelt for Portuguese.
"""

from __future__ import annotations

import re

# Common words whose remains are no other words of Spanish, or rarer ones.
WORDS = """
más también además aquí allí según después través todavía quizás jamás detrás atrás había habían están estás
estarán podrá podrán podrían serán sería tendrá tendrán tenía tenían hacía gustaría debería deberían querría
harán irán décadas página páginas pública público públicos públicas política políticas político políticos
económica económico económicos crédito médico médicos médica música número números teléfono teléfonos película
películas último última últimos últimas único única únicos próximo próxima próximos fácil fáciles difícil
difíciles útil rápido rápida rápidamente técnica técnico técnicas técnicos básico básica básicos clásico clásica
histórico histórica práctica prácticas práctico ámbito análisis área áreas árbol árboles sólo cómo cuándo dónde
quién quiénes cuáles país países días año años niño niños niña niñas señor señora señores señoras español
española españoles españolas españa mañana pequeño pequeña pequeños pequeñas compañía compañías campaña campañas
diseño diseños tamaño montaña montañas sueño sueños enseñanza otoño baño baños daño daños dueño acompañado
añadir energía energías tecnología tecnologías policía economía categoría categorías galería historía garantía
garantías mayoría minoría librería cafetería río frío haría vacío envío envíos período artículo artículos
capítulo vídeo vídeos fútbol jóvenes imágenes orígenes órdenes móvil móviles línea líneas código códigos método
métodos sábado miércoles inglés francés interés japonés portugués bebé café acción sección
"""
REMAINS = {re.sub("[áéíóúüñ]", "", word): word for word in WORDS.split()}


def restore(text: str) -> str:
    """The text with the endings -ción, -sión and the like, and the common words, as they are spelt."""
    text = re.sub(r"\b(\w+[cstgx])in\b", r"\1ión", text)
    return re.sub(r"\w+", lambda found: _accented(found[0]), text)


def _accented(word: str) -> str:
    found = REMAINS.get(word.lower())
    return word if found is None else found.capitalize() if word[0].isupper() else found
